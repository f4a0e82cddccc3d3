"""The computation of a student of the published size, beside scores that can be searched: for benchmark streaming."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch

from ssl_asr.decoding.scores import Float32
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import LstmNetwork
from ssl_asr.serving.exporting.onnx_export import quantised, to_onnx
from ssl_asr.serving.network import Network, State
from ssl_asr.serving.senone_engine import SenoneEngine

LAYERS, UNITS, SENONES = 5, 768, 3183


class Beside:
    """Runs another network on the same frames and returns what the first one gives; the state has both states."""

    def __init__(self, first: Network, other: Network) -> None:
        self.shape, self._first, self._other = first.shape, first, other

    def initial_state(self) -> State:
        return (*self._first.initial_state(), *self._other.initial_state())

    def run(self, frames: Float32, state: State) -> tuple[Float32, State]:
        own = len(self._first.initial_state())
        posteriors, after = self._first.run(frames, state[:own])
        _, other_after = self._other.run(frames, state[own:])
        return posteriors, (*after, *other_after)


def beside(engine: SenoneEngine, other: Network) -> SenoneEngine:
    return replace(engine, network=cast(Network, Beside(engine.network, other)))


def large_networks(engine: SenoneEngine) -> dict[str, Network]:
    """A student of the published size with random weights, in both precisions."""
    torch.manual_seed(0)
    shape = engine.bundle.description.network
    section = LstmNetwork(layers=LAYERS, units=UNITS, look_ahead=shape.look_ahead, dropout=0.0)
    data = to_onnx(AcousticModel(ModelSpec(section, shape.inputs, SENONES)).eval())
    large = shape.model_copy(update={"senones": SENONES})
    return {kind: Network(each, large, f"24 M, {kind}") for kind, each in (("fp32", data), ("int8", quantised(data)))}
