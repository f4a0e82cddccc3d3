"""The front end behind the filter bank as nodes of an ONNX graph: floor, running mean and stacking with their state.

It makes of log mel energies what `frontend/online.py` makes of them. Sums are kept in float64, as there; because the
state that the program carries for us is float32, each is carried as its float32 value and what that leaves over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from ssl_asr.frontend.lfbe import FRAME_SECONDS, NO_SIGNAL
from ssl_asr.frontend.stacking import STACK
from ssl_asr.recipe import Frontend
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph
from ssl_asr.serving.network import AFTER, FRAMES

# Log energies of 16-bit samples, [streams, 10 ms frames, bins]; and 10 ms frames so far [streams], 0 at the begin.
ENERGIES, BEFORE = "energies", "frames_before"
HIGH, LOW = "sums_high", "sums_low"  # [streams, `sums(frontend)`, 1], 0 at the begin
# The number of sums of the floor: powers, and frames with a signal.
_FLOOR = 2


@dataclass(frozen=True, eq=False)
class FrontEnd:
    """`mean` [bins] and `level` are those that a speaker begins with; `frames` of 10 ms come at a time."""

    frontend: Frontend
    mean: npt.NDArray[np.float64]
    level: float
    frames: int


def sums(frontend: Frontend) -> int:
    """How many sums are carried: those of the floor, of each bin, and of the frames."""
    return _FLOOR + frontend.mel_bins + 1


def add_front_end(graph: OnnxGraph, front: FrontEnd) -> None:
    """The nodes from `energies` to `frames` [streams, 30 ms frames, inputs], and the state behind them."""
    bins = front.frontend.mel_bins
    _double(graph, ENERGIES, "exact")
    _add_state(graph, front)
    _add_floor(graph, front)
    _add_mean(graph, front)
    shape = graph.constant("stacked_shape", np.array([0, front.frames // STACK, bins * STACK]))
    graph.add("Reshape", ["rounded", shape], [FRAMES])
    _add_state_after(graph)
    graph.add("Add", [BEFORE, graph.constant("chunk", np.array([front.frames]))], [BEFORE + AFTER])


def _add_state(graph: OnnxGraph, front: FrontEnd) -> None:
    """`floor_before` and `mean_before` [streams, 1, sums]; at the begin those that a speaker begins with."""
    weight = front.frontend.mean_prior_seconds / FRAME_SECONDS
    first = np.concatenate([np.zeros(_FLOOR), weight * np.append(front.mean, 1.0)])
    for part in (HIGH, LOW):
        _double(graph, part, f"{part}_double")
    graph.add("Add", [f"{HIGH}_double", f"{LOW}_double"], ["carried"])
    zero, sides = graph.constant("none", np.array([0])), graph.constant("last_sides", np.array([1, 2]))
    graph.add("Equal", [BEFORE, zero], ["is_first"])
    graph.add("Unsqueeze", ["is_first", sides], ["is_first_sums"])
    graph.add("Where", ["is_first_sums", graph.constant("first", first[:, None]), "carried"], ["sums_before"])
    graph.add("Transpose", ["sums_before"], ["sums_before_row"], perm=(0, 2, 1))
    sizes = graph.constant("sums_sizes", np.array([_FLOOR, len(first) - _FLOOR]))
    graph.add("Split", ["sums_before_row", sizes], ["floor_before", "mean_before"], axis=2)


def _add_floor(graph: OnnxGraph, front: FrontEnd) -> None:
    """`floored`: log(e^x + e^floor), rounded to float32 as `EnergyFloor` does."""
    last = graph.constant("last_side", np.array([2]))
    graph.add("ReduceMax", ["exact", last], ["loudest"], keepdims=1)
    graph.add("Greater", ["loudest", graph.constant("silent", np.array(NO_SIGNAL))], ["is_heard"])
    graph.add("Cast", ["is_heard"], ["heard"], to=TensorProto.DOUBLE)
    graph.add("Exp", ["exact"], ["powers"])
    graph.add("ReduceMean", ["powers", last], ["mean_power"], keepdims=1)
    graph.add("Mul", ["mean_power", "heard"], ["power"])
    graph.add("Concat", ["power", "heard"], ["floor_rows"], axis=2)
    _add_sums(graph, front, "floor")
    graph.add("Split", ["floor_sums"], ["power_sum", "heard_sum"], axis=2, num_outputs=2)
    graph.add("Div", ["power_sum", "heard_sum"], ["mean_heard"])
    graph.add("Log", ["mean_heard"], ["level_heard"])
    graph.add("Greater", ["heard_sum", graph.constant("nothing", np.array(0.0))], ["is_known"])
    graph.add("Where", ["is_known", "level_heard", graph.constant("level", np.array(front.level))], ["levels"])
    distance = graph.constant("distance", np.array(front.frontend.energy_range_nats))
    graph.add("Sub", ["levels", distance], ["floors"])
    graph.add("Max", ["exact", "floors"], ["higher"])
    graph.add("Sub", ["exact", "floors"], ["above"])
    graph.add("Abs", ["above"], ["apart"])
    graph.add("Neg", ["apart"], ["lower"])
    graph.add("Exp", ["lower"], ["smaller"])
    graph.add("Add", ["smaller", graph.constant("one", np.array(1.0))], ["both"])
    graph.add("Log", ["both"], ["more"])
    graph.add("Add", ["higher", "more"], ["floored_exact"])
    _double(graph, "floored_exact", "floored", through=[TensorProto.FLOAT])


def _add_mean(graph: OnnxGraph, front: FrontEnd) -> None:
    """`rounded`: energies minus the running mean, float32 with the precision of 16-bit shards."""
    one = graph.constant("ones", np.array([[[1.0]]]))
    graph.add("Shape", ["heard"], ["heard_shape"])
    graph.add("Expand", [one, "heard_shape"], ["count"])
    graph.add("Concat", ["floored", "count"], ["mean_rows"], axis=2)
    _add_sums(graph, front, "mean")
    sizes = graph.constant("mean_sizes", np.array([front.frontend.mel_bins, 1]))
    graph.add("Split", ["mean_sums", sizes], ["bin_sums", "frame_sums"], axis=2)
    graph.add("Div", ["bin_sums", "frame_sums"], ["means"])
    graph.add("Sub", ["floored", "means"], ["subtracted"])
    graph.add("Cast", ["subtracted"], ["subtracted_single"], to=TensorProto.FLOAT)
    graph.add("Cast", ["subtracted_single"], ["subtracted_half"], to=TensorProto.FLOAT16)
    graph.add("Cast", ["subtracted_half"], ["rounded"], to=TensorProto.FLOAT)


def _add_sums(graph: OnnxGraph, front: FrontEnd, name: str) -> None:
    """`<name>_sums` [streams, frames, sums] of `<name>_rows` and what came before, as `DecayedSums`."""
    decay = math.exp(-FRAME_SECONDS / front.frontend.mean_memory_seconds)
    ages = np.arange(front.frames)[:, None] - np.arange(front.frames)
    weights = np.where(ages >= 0, decay ** np.maximum(ages, 0), 0.0)
    older = decay ** np.arange(1, front.frames + 1)[:, None]
    graph.add("MatMul", [graph.constant(f"{name}_weights", weights), f"{name}_rows"], [f"{name}_new"])
    graph.add("Mul", [f"{name}_before", graph.constant(f"{name}_older", older)], [f"{name}_old"])
    graph.add("Add", [f"{name}_new", f"{name}_old"], [f"{name}_sums"])


def _add_state_after(graph: OnnxGraph) -> None:
    graph.add("Concat", ["floor_sums", "mean_sums"], ["all_sums"], axis=2)
    begin, end = (graph.constant(f"last_frame_{place}", np.array([number])) for place, number in _LAST_FRAME)
    graph.add("Slice", ["all_sums", begin, end, graph.constant("time", np.array([1]))], ["last_sums"])
    graph.add("Transpose", ["last_sums"], ["sums_now"], perm=(0, 2, 1))
    graph.add("Cast", ["sums_now"], [HIGH + AFTER], to=TensorProto.FLOAT)
    _double(graph, HIGH + AFTER, "sums_rounded")
    graph.add("Sub", ["sums_now", "sums_rounded"], ["sums_rest"])
    graph.add("Cast", ["sums_rest"], [LOW + AFTER], to=TensorProto.FLOAT)


_LAST_FRAME = (("begin", -1), ("end", np.iinfo(np.int64).max))


def _double(graph: OnnxGraph, given: str, made: str, through: Sequence[int] = ()) -> None:
    """As float64, rounded to other kinds on the way."""
    for number, kind in enumerate(through):
        graph.add("Cast", [given], [f"{made}_{number}"], to=kind)
        given = f"{made}_{number}"
    graph.add("Cast", [given], [made], to=TensorProto.DOUBLE)
