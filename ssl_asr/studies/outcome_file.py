"""The outcome of a study, as a file of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ssl_asr.evaluation.error_rates import Reduction, SpeakerLimits
from ssl_asr.studies.comparing import of_figures
from ssl_asr.studies.outcome import Compared, Outcome, Provenance, SystemErrors, SystemFigure
from ssl_asr.studies.study import Comparison, Study


def to_json(outcome: Outcome) -> bytes:
    values = asdict(outcome) | {"study": outcome.study.model_dump(mode="json")}
    for each, kept in zip(outcome.compared, values["compared"], strict=True):
        kept["comparison"] = each.comparison.model_dump(mode="json")
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def outcome_in(values: Any, uri: str) -> Outcome:
    """Of the JSON that `to_json` wrote; ValueError naming a file, at `uri`, that it did not write."""
    try:
        return _outcome(values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{uri} is no outcome of a study; move it, or name another folder of results") from error


def _outcome(values: Any) -> Outcome:
    errors = [SystemErrors(**{**each, "wer": _by_seed(each["wer"])}) for each in values["errors"]]
    compared = [_compared(each) for each in values["compared"]]
    figures = [
        SystemFigure(each["variant"], each["system"], each["figure"], _by_seed(each["values"]))
        for each in values.get("figures", [])  # files of former versions have none
    ]
    return Outcome(Study(**values["study"]), errors, compared, Provenance(**values["provenance"]), figures)


def _compared(values: Mapping[str, Any]) -> Compared:
    """Of a figure it is made anew: files of former versions have the limits from the least to the largest seed."""
    comparison, by_seed = Comparison(**values["comparison"]), _by_seed(values["by_seed"])
    if comparison.figure:
        return of_figures(comparison, by_seed)
    cells = [Reduction(**{**cell, "by_speaker": SpeakerLimits(**cell["by_speaker"])}) for cell in values["cells"]]
    return Compared(comparison, by_seed, cells, values["verdict"])


def _by_seed(values: Mapping[str, Any]) -> dict[int, float]:
    return {int(seed): float(value) for seed, value in values.items()}
