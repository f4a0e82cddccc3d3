"""A cohort's embedding as an extra input of a network, beside every frame.

Dheram et al. 2022 feed an embedding of two dimensions to the acoustic model. A later study (arXiv 2306.06083)
replaces a tenth of the cohorts by "unknown" in training, so that speakers of whom none is known are served too. Here
"unknown" is the zero vector: without a cohort, the network is the same without its extra columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

UNKNOWN = 0  # the number of no cohort; those of `names` follow


@dataclass(frozen=True)
class CohortInput:
    """The cohorts that a network knows, and the width of their embeddings."""

    names: tuple[str, ...]
    dimensions: int

    @property
    def numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names, UNKNOWN + 1)}


def widened(
    narrow: Mapping[str, torch.Tensor], wide: Mapping[str, torch.Tensor], extra: int
) -> dict[str, torch.Tensor]:
    """The weights of a network in the shapes of `wide`, which has `extra` inputs more behind its frames.

    New columns are zero, so the outputs stay the same: bit for bit with LSTM layers, to rounding where a layer of
    another width adds in another order. What `narrow` has not stays as in `wide`. ValueError where a layer has
    another shape, as of a network that convolves over its inputs.
    """
    found = dict(wide)
    for name, tensor in narrow.items():
        shape = wide[name].shape
        if shape == tensor.shape:
            found[name] = tensor
        elif tensor.dim() == 2 and shape == (len(tensor), tensor.shape[1] + extra):
            found[name] = functional.pad(tensor, (0, extra))
        else:
            raise ValueError(
                f"this network can't take a cohort's embedding beside its frames ({name} is no matrix of inputs); "
                "use another method, or a network of LSTM layers"
            )
    return found
