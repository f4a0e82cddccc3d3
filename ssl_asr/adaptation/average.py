"""Weight averaging: a model between the one that adaptation began with and the one that it ended with."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def averaged(
    start: Mapping[str, torch.Tensor], adapted: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """theta* + share (theta - theta*) of every tensor: `share` 0 is the start, 1 the adapted model, bit for bit."""
    assert start.keys() == adapted.keys(), "two models of one network"
    # lerp is exact at both ends.
    return {name: torch.lerp(start[name], adapted[name], share) for name in start}
