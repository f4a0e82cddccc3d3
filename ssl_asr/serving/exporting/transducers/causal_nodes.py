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

LAST = np.iinfo(np.int64).max  # the end of a slice that goes to the end


@dataclass
class CausalNodes:
    """`shapes` are those of the states so far, by name; those in `double` are float64, the others float32."""

    graph: OnnxGraph
    shapes: dict[str, tuple[int | str, ...]] = field(default_factory=dict)
    double: set[str] = field(default_factory=set)

    def add(self, module: nn.Module, name: str, frames: str) -> str:
        """Nodes of a module from the tensor `frames`; `name` is its own among the weights. Returns its output."""
        if isinstance(module, CausalSequential):
            for place, layer in enumerate(module.layers):
                frames = self.add(layer, f"{name}.layers.{place}", frames)
            return frames
        if isinstance(module, Residual):
            inner = self.add(module.inner, f"{name}.inner", frames)
            return self.node("Add", [frames, inner], f"{name}.sum")
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
            return self.node("Relu", [frames], f"{name}.out")
        if isinstance(module, nn.SiLU):
            gate = self.node("Sigmoid", [frames], f"{name}.gate")
            return self.node("Mul", [frames, gate], f"{name}.out")
        if isinstance(module, nn.LayerNorm):
            scale, bias = (self.graph.constant(f"{name}.{each}") for each in ("weight", "bias"))
            return self.node("LayerNormalization", [frames, scale, bias], f"{name}.out", axis=-1, epsilon=module.eps)
        if isinstance(module, nn.Unflatten):  # a last dimension of one channel
            return self.node("Unsqueeze", [frames, self.whole(f"{name}.axes", -1)], f"{name}.out")
        assert isinstance(module, nn.Flatten), f"no causal encoder has a layer of the kind {type(module).__name__}"
        return self.node("Reshape", [frames, self.whole(f"{name}.shape", 0, 0, -1)], f"{name}.out")

    def linear(self, name: str, frames: str, output: str = "") -> str:
        """As nn.Linear."""
        weighted = self.node("MatMul", [frames, self.graph.constant(f"{name}.weight", transposed=True)], f"{name}.in")
        return self.node("Add", [weighted, self.graph.constant(f"{name}.bias")], output or f"{name}.out")

    def _lstm(self, module: CausalLstm, name: str, frames: str) -> str:
        units = module.lstm.hidden_size
        states = [self._state(module, place) for place in range(2)]
        first = self.node("Transpose", [frames], f"{name}.first", perm=(1, 0, 2))
        add_lstm(self.graph, f"{name}.lstm", 0, units, inputs=first, output=f"{name}.steps", states=states)
        return self.node("Transpose", [f"{name}.steps"], f"{name}.out", perm=(1, 0, 2))

    def _convolution(self, module: CausalConvolution, name: str, frames: str) -> str:
        sides = len(module.beside) + 1  # dimensions of a convolution: time, and what lies beside it
        longer = self._after_past(self._state(module), module.context, name, frames, sides + 2)
        torchs = module.convolution
        channels_first = self.node("Transpose", [longer], f"{name}.turned", perm=(0, sides + 1, *range(1, sides + 1)))
        weights = [self.graph.constant(f"{name}.convolution.{each}") for each in ("weight", "bias")]
        beside = [int(each) for each in torchs.padding if not isinstance(each, str)]
        found = self.node(
            "Conv",
            [channels_first, *weights],
            f"{name}.convolved",
            dilations=torchs.dilation,
            kernel_shape=torchs.kernel_size,
            pads=[*beside, *beside],
        )
        return self.node("Transpose", [found], f"{name}.out", perm=(0, *range(2, sides + 2), 1))

    def _squeeze_excite(self, module: SqueezeExcite, name: str, frames: str) -> str:
        state = self._state(module)
        exact = self.node("Cast", [frames], f"{name}.exact", to=TensorProto.DOUBLE)
        one = self.graph.constant(f"{name}.one", np.array(1.0))
        counted = self.node("Pad", [exact, self.whole(f"{name}.pads", 0, 0, 0, 0, 0, 1), one], f"{name}.counted")
        turned = self._turned(state, f"{name}.past", 3)
        both = self.node("Concat", [turned, counted], f"{name}.both", axis=1)
        sums = self.node("CumSum", [both, self.graph.constant(f"{name}.axis", np.array(1))], f"{name}.sums")
        self._last(sums, 1, state, name, 3)
        known = self.sliced(sums, 1, LAST, 1, f"{name}.known")
        total, count = self.sliced(known, 0, -1, 2, f"{name}.total"), self.sliced(known, -1, LAST, 2, f"{name}.count")
        mean = self.node(
            "Cast", [self.node("Div", [total, count], f"{name}.mean")], f"{name}.mean32", to=TensorProto.FLOAT
        )
        squeezed = self.node("Relu", [self.linear(f"{name}.squeeze", mean)], f"{name}.squeezed")
        gates = self.node("Sigmoid", [self.linear(f"{name}.excite", squeezed)], f"{name}.gates")
        return self.node("Mul", [frames, gates], f"{name}.out")

    def _after_past(self, state: str, count: int, name: str, frames: str, dimensions: int) -> str:
        """The frames with the last `count` of before, and the state behind them."""
        turned = self._turned(state, f"{name}.past", dimensions)
        longer = self.node("Concat", [turned, frames], f"{name}.longer", axis=1)
        self._last(longer, count, state, name, dimensions)
        return longer

    def _last(self, longer: str, count: int, state: str, name: str, dimensions: int) -> None:
        last = self.sliced(longer, -count if count else LAST, LAST, 1, f"{name}.last")
        self._turned(last, state + AFTER, dimensions)

    def _turned(self, tensor: str, output: str, dimensions: int) -> str:
        """With frames and streams in the other order."""
        return self.node("Transpose", [tensor], output, perm=(1, 0, *range(2, dimensions)))

    def state(self, *shape: int | None) -> str:
        """The next state, of zeros at the begin; None is a size that is 0 then, and grows."""
        name = f"state_{len(self.shapes)}"
        self.shapes[name] = tuple(f"{name}_kept" if size is None else size for size in shape)
        return name

    def sliced(self, tensor: str, begin: int, end: int, axis: int, output: str) -> str:
        limits = [self.whole(f"{output}.{name}", value) for name, value in (("b", begin), ("e", end), ("axis", axis))]
        return self.node("Slice", [tensor, *limits], output)

    def _state(self, module: CausalModule, place: int = 0) -> str:
        """The next one, of these of the module."""
        tensor = module.initial_state(1)[place]
        name = self.state(*tensor.shape)
        if tensor.is_floating_point() and tensor.element_size() == 8:
            self.double.add(name)
        return name

    def whole(self, name: str, *values: int) -> str:
        """A constant of whole numbers [values]."""
        return self.graph.constant(name, np.array(values, np.int64))

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Of one output, whose name is returned."""
        self.graph.add(kind, inputs, [output], **attributes)
        return output
