"""What a benchmark found of published claims that no study can ask for: lines for the table of all results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ssl_asr.studies.outcome import Provenance
from ssl_asr.studies.verdict import Verdict

KIND = "claims"  # the key by which these files are told from the outcomes of studies


@dataclass(frozen=True)
class Claim:
    """One line. `found` is a reduction in percent, unless its text says what it is."""

    name: str
    what: str
    published: str
    found: str
    interval: str
    criterion: str
    verdict: Verdict


@dataclass(frozen=True)
class ClaimSheet:
    """All lines of one benchmark; `criteria` and `details` are paragraphs and tables of Markdown for its page."""

    name: str
    question: str
    criteria: str
    claims: Sequence[Claim]
    details: str
    provenance: Provenance


def sheet_to_json(sheet: ClaimSheet) -> bytes:
    return (json.dumps(asdict(sheet), indent=1, allow_nan=False) + "\n").encode()


def is_sheet(values: Any) -> bool:
    """Of a file's JSON."""
    return isinstance(values, dict) and KIND in values


def sheet_in(values: Any, uri: str) -> ClaimSheet:
    """Of the JSON that `sheet_to_json` wrote; ValueError naming a file, at `uri`, that it did not write."""
    try:
        claims = [Claim(**each) for each in values[KIND]]
        return ClaimSheet(**{**values, KIND: claims, "provenance": Provenance(**values["provenance"])})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{uri} is no outcome of a benchmark; move it, or name another folder of results") from error
