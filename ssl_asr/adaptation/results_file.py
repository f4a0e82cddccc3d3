"""What came out of an adaptation, as a file of the run."""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from ssl_asr.adaptation.results import AdaptResults
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import adapted_uri

_RESULTS = TypeAdapter(AdaptResults)


def write_adapted(results: AdaptResults) -> None:
    values = json.dumps(asdict(results), indent=1, allow_nan=False) + "\n"
    filesystem.write_bytes(adapted_uri(results.run, results.name), values.encode())


def read_adapted(run: str, name: str) -> AdaptResults | None:
    """Of the adaptation of this name; None where there is none. ValueError naming a damaged file."""
    uri = adapted_uri(run, name)
    if not filesystem.exists(uri):
        return None
    try:
        return _RESULTS.validate_json(filesystem.read_bytes(uri))
    except ValidationError as error:
        raise ValueError(f"{uri} is damaged; delete it and give the same `ssl-asr adapt` command again") from error
