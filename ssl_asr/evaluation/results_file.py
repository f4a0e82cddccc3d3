"""Where the results of a run are kept: `decoding/results.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ssl_asr.evaluation.error_rates import Reduction, SpeakerLimits, ToplineShare, WordErrors
from ssl_asr.evaluation.percentiles import Percentiles
from ssl_asr.evaluation.results import FrameAccuracy, Results, TuningPoint
from ssl_asr.evaluation.transducer_results import ConversationErrors, EmissionDelays, EncoderCompute, TransducerErrors
from ssl_asr.evaluation.turns.counting import TurnCounts
from ssl_asr.evaluation.turns.latencies import TurnLatencies
from ssl_asr.models.systems import BASELINE
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import results_uri


def write_results(run: str, results: Results) -> None:
    filesystem.write_bytes(results_uri(run), json.dumps(asdict(results), indent=1).encode())


def read_results(run: str) -> Results:
    """ValueError if the evaluate stage has not finished."""
    values = json.loads(filesystem.read_bytes(results_uri(run)))
    values["rows"] = [WordErrors(**_with_speakers(row)) for row in values["rows"]]
    values["dev"] = [WordErrors(**_with_speakers(row)) for row in values.get("dev", ())]
    values["tuning"] = [TuningPoint(**point) for point in values.get("tuning", ())]
    values["werr"] = [Reduction(**_with_share(_with_speakers(row))) for row in values["werr"]]
    values["frame_accuracy"] = [FrameAccuracy(**row) for row in values["frame_accuracy"]]
    values["conversations"] = tuple(_conversation(each) for each in values.get("conversations", ()))
    values["transducers"] = tuple(_transducer(each) for each in values.get("transducers", ()))
    if "baseline_model" in values:  # before 2026-11-26: of the baseline alone
        values["models"] = {BASELINE: values.pop("baseline_model")}
    return Results(**values)


def _transducer(values: dict[str, Any]) -> TransducerErrors:
    rows = [WordErrors(**_with_speakers(row)) for row in values["rows"]]
    werr = [Reduction(**_with_share(_with_speakers(row))) for row in values["werr"]]
    delays, compute = [_delays(each) for each in values.get("delays", ())], values.get("compute")
    counted = compute and EncoderCompute(**compute)
    others = {name: values[name] for name in ("lm_weight", "real_time_factor") if name in values}
    return TransducerErrors(values["name"], rows, werr, delays, counted, **others)


def _delays(values: dict[str, Any]) -> EmissionDelays:
    measured = {name: values[name] and Percentiles(**values[name]) for name in ("last_word", "words")}
    return EmissionDelays(**{**values, **measured})


def _conversation(values: dict[str, Any]) -> ConversationErrors:
    late = {name: None if each is None else Percentiles(**each) for name, each in values["latencies"].items()}
    row = WordErrors(**_with_speakers(values["row"]))
    factor = values.get("real_time_factor")
    return ConversationErrors(row, TurnCounts(**values["counts"]), TurnLatencies(**late), factor)


def _with_speakers(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"by_speaker": SpeakerLimits(**row.get("by_speaker", {"speakers": 0}))}


def _with_share(row: dict[str, Any]) -> dict[str, Any]:
    share = row.get("topline_share")
    return row | {"topline_share": None if share is None else ToplineShare(**share)}
