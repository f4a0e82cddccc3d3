"""The layers of causal encoders as nodes of ONNX: what `models/causal_layers.py` computes, for one stream.

Every layer takes and gives frames [1, frames, ...]. States are numbered in the order in which torch has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto
from torch import nn

from ssl_asr.models.causal import CausalModule, CausalSequential, Residual
from ssl_asr.models.causal_layers import CausalConvolution, CausalLstm, SqueezeExcite
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph, add_lstm
from ssl_asr.serving.network import AFTER

_ALL = np.iinfo(np.int64).max  # the end of a slice that goes to the end


@dataclass
class CausalNodes:
    """`shapes` are those of the states so far, by name; those in `double` are float64, the others float32."""

    graph: OnnxGraph
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    double: set[str] = field(default_factory=set)

    def add(self, module: nn.Module, name: str, frames: str) -> str:
        """Nodes of a module from the tensor `frames`; `name` is its own among the weights. Returns its output."""
        if isinstance(module, CausalSequential):
            for place, layer in enumerate(module.layers):
                frames = self.add(layer, f"{name}.layers.{place}", frames)
            return frames
        if isinstance(module, Residual):
            inner = self.add(module.inner, f"{name}.inner", frames)
            return self._node("Add", [frames, inner], f"{name}.sum")
        if isinstance(module, CausalLstm):
            return self._lstm(module, name, frames)
        if isinstance(module, CausalConvolution):
            return self._convolution(module, name, frames)
        if isinstance(module, SqueezeExcite):
            return self._squeeze_excite(module, name, frames)
        return self._stateless(module, name, frames)

    def _stateless(self, module: nn.Module, name: str, frames: str) -> str:
        if isinstance(module, nn.Dropout):
            return frames
        if isinstance(module, nn.Linear):
            return self.linear(name, frames)
        if isinstance(module, nn.ReLU):
            return self._node("Relu", [frames], f"{name}.out")
        if isinstance(module, nn.SiLU):
            gate = self._node("Sigmoid", [frames], f"{name}.gate")
            return self._node("Mul", [frames, gate], f"{name}.out")
        if isinstance(module, nn.LayerNorm):
            scale, bias = (self.graph.constant(f"{name}.{each}") for each in ("weight", "bias"))
            return self._node("LayerNormalization", [frames, scale, bias], f"{name}.out", axis=-1, epsilon=module.eps)
        if isinstance(module, nn.Unflatten):  # a last dimension of one channel
            return self._node("Unsqueeze", [frames, self._whole(f"{name}.axes", -1)], f"{name}.out")
        assert isinstance(module, nn.Flatten), f"no causal encoder has a layer of the kind {type(module).__name__}"
        return self._node("Reshape", [frames, self._whole(f"{name}.shape", 0, 0, -1)], f"{name}.out")

    def linear(self, name: str, frames: str, output: str = "") -> str:
        """As nn.Linear."""
        weighted = self._node(
            "MatMul", [frames, self.graph.constant(f"{name}.weight", transposed=True)], f"{name}.in"
        )
        return self._node("Add", [weighted, self.graph.constant(f"{name}.bias")], output or f"{name}.out")

    def _lstm(self, module: CausalLstm, name: str, frames: str) -> str:
        units = module.lstm.hidden_size
        states = [self._state(module, place) for place in range(2)]
        first = self._node("Transpose", [frames], f"{name}.first", perm=(1, 0, 2))
        add_lstm(self.graph, f"{name}.lstm", 0, units, inputs=first, output=f"{name}.steps", states=states)
        return self._node("Transpose", [f"{name}.steps"], f"{name}.out", perm=(1, 0, 2))

    def _convolution(self, module: CausalConvolution, name: str, frames: str) -> str:
        sides = len(module.beside) + 1  # dimensions of a convolution: time, and what lies beside it
        longer = self._after_past(self._state(module), module.context, name, frames, sides + 2)
        torchs = module.convolution
        channels_first = self._node(
            "Transpose", [longer], f"{name}.turned", perm=(0, sides + 1, *range(1, sides + 1))
        )
        weights = [self.graph.constant(f"{name}.convolution.{each}") for each in ("weight", "bias")]
        beside = [int(each) for each in torchs.padding if not isinstance(each, str)]
        found = self._node(
            "Conv",
            [channels_first, *weights],
            f"{name}.convolved",
            dilations=torchs.dilation,
            kernel_shape=torchs.kernel_size,
            pads=[*beside, *beside],
        )
        return self._node("Transpose", [found], f"{name}.out", perm=(0, *range(2, sides + 2), 1))

    def _squeeze_excite(self, module: SqueezeExcite, name: str, frames: str) -> str:
        state = self._state(module)
        exact = self._node("Cast", [frames], f"{name}.exact", to=TensorProto.DOUBLE)
        one = self.graph.constant(f"{name}.one", np.array(1.0))
        counted = self._node("Pad", [exact, self._whole(f"{name}.pads", 0, 0, 0, 0, 0, 1), one], f"{name}.counted")
        turned = self._turned(state, f"{name}.past", 3)
        both = self._node("Concat", [turned, counted], f"{name}.both", axis=1)
        sums = self._node("CumSum", [both, self.graph.constant(f"{name}.axis", np.array(1))], f"{name}.sums")
        self._last(sums, 1, state, name, 3)
        known = self._slice(sums, 1, _ALL, 1, f"{name}.known")
        total, count = self._slice(known, 0, -1, 2, f"{name}.total"), self._slice(known, -1, _ALL, 2, f"{name}.count")
        mean = self._node(
            "Cast", [self._node("Div", [total, count], f"{name}.mean")], f"{name}.mean32", to=TensorProto.FLOAT
        )
        squeezed = self._node("Relu", [self.linear(f"{name}.squeeze", mean)], f"{name}.squeezed")
        gates = self._node("Sigmoid", [self.linear(f"{name}.excite", squeezed)], f"{name}.gates")
        return self._node("Mul", [frames, gates], f"{name}.out")

    def _after_past(self, state: str, count: int, name: str, frames: str, dimensions: int) -> str:
        """The frames with the last `count` of before, and the state behind them."""
        turned = self._turned(state, f"{name}.past", dimensions)
        longer = self._node("Concat", [turned, frames], f"{name}.longer", axis=1)
        self._last(longer, count, state, name, dimensions)
        return longer

    def _last(self, longer: str, count: int, state: str, name: str, dimensions: int) -> None:
        last = self._slice(longer, -count if count else _ALL, _ALL, 1, f"{name}.last")
        self._turned(last, state + AFTER, dimensions)

    def _turned(self, tensor: str, output: str, dimensions: int) -> str:
        """With frames and streams in the other order."""
        return self._node("Transpose", [tensor], output, perm=(1, 0, *range(2, dimensions)))

    def _slice(self, tensor: str, begin: int, end: int, axis: int, output: str) -> str:
        limits = [
            self._whole(f"{output}.{name}", value) for name, value in (("b", begin), ("e", end), ("axis", axis))
        ]
        return self._node("Slice", [tensor, *limits], output)

    def _state(self, module: CausalModule, place: int = 0) -> str:
        """The next one, of these of the module."""
        name, tensor = f"state_{len(self.shapes)}", module.initial_state(1)[place]
        self.shapes[name] = tuple(tensor.shape)
        if tensor.is_floating_point() and tensor.element_size() == 8:
            self.double.add(name)
        return name

    def _whole(self, name: str, *values: int) -> str:
        return self.graph.constant(name, np.array(values, np.int64))

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.graph.add(kind, inputs, [output], **attributes)
        return output
