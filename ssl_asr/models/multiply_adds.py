"""Multiplications of a network for one frame, by formula.

`torch.utils.flop_counter` counts none for an LSTM on a CPU. Only layers that multiply by weight matrices count:
linear, convolutional and recurrent ones. Work element by element is left out, as it is in that counter.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn

_BY_ELEMENT = (nn.LayerNorm,)  # has parameters, and multiplies each element once


@runtime_checkable
class Counted(Protocol):
    """A module that states its own multiply-adds, as one whose weights are used at many places of a frame."""

    @property
    def multiply_adds_per_frame(self) -> int: ...


def multiply_adds(module: nn.Module) -> int:
    """Of one frame, through the module and all in it. ValueError for a layer that has weights and no formula."""
    if isinstance(module, Counted):
        return module.multiply_adds_per_frame
    if isinstance(module, nn.Linear):
        return module.in_features * module.out_features
    if isinstance(module, nn.LSTM):
        return _lstm(module)
    if not isinstance(module, _BY_ELEMENT) and any(True for _ in module.parameters(recurse=False)):
        raise ValueError(
            f"there is no formula for the multiplications of a {type(module).__name__}; "
            f"give the module that holds it a property multiply_adds_per_frame"
        )
    return inner_multiply_adds(module)


def inner_multiply_adds(module: nn.Module) -> int:
    """Of the modules directly in this one, added up."""
    return sum(multiply_adds(each) for each in module.children())


def _lstm(lstm: nn.LSTM) -> int:
    """Four gates, each from a layer's inputs and its own outputs before: 4 (I + d) d (Radfar et al. 2022)."""
    units, directions = lstm.hidden_size, 2 if lstm.bidirectional else 1
    widths = [lstm.input_size, *[directions * units] * (lstm.num_layers - 1)]
    return sum(directions * 4 * (width + units) * units for width in widths)
