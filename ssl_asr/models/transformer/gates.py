"""Gates: for each frame and layer, which modules run; samples of them in training, and how these are annealed.

Xie et al. 2022, "Compute cost amortized Transformer for streaming ASR". A layer's gates lie side by side in the last
dimension G: one for the feed-forward module, one for each head's query, one for each head's key and value.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Generic, TypeVar

import torch
from torch.nn import functional

from ssl_asr.recipe import Gating

GatesT = TypeVar("GatesT")
NEVER = -1e9  # the logit of what is left out: its share is exactly 0, and all of a row may have it


@dataclass(frozen=True)
class ByModule(Generic[GatesT]):
    """A layer's gates by module; None: it is not gated, so it always runs."""

    feed_forward: GatesT | None
    queries: GatesT | None
    keys: GatesT | None


@dataclass(frozen=True)
class Parts(ByModule[slice]):
    """Which of a layer's `count` gates are whose."""

    count: int = 0

    def split(self, gates_g: torch.Tensor) -> ByModule[torch.Tensor]:
        """Of gates [..., G]: feed-forward [...], queries and keys [..., heads]."""
        forward = None if self.feed_forward is None else gates_g[..., self.feed_forward].squeeze(-1)
        queries, keys = (None if part is None else gates_g[..., part] for part in (self.queries, self.keys))
        return ByModule(forward, queries, keys)


def parts_of(gating: Gating | None, heads: int) -> Parts:
    if gating is None:
        return Parts(None, None, None)
    ends = list(accumulate((gating.feed_forward * 1, gating.queries * heads, gating.keys * heads), initial=0))
    forward, queries, keys = (slice(*pair) if pair[0] < pair[1] else None for pair in pairwise(ends))
    return Parts(forward, queries, keys, ends[-1])


@dataclass(frozen=True)
class Annealed:
    """The loss of running all modules in nats a frame; temperature and noise of the samples."""

    beta: float
    temperature: float
    contribution: float


def has_begun(gating: Gating, progress: float) -> bool:
    """Whether gates may close, and computing costs, at the share `progress` of a training."""
    return progress > gating.begin


def annealed(gating: Gating, progress: float) -> Annealed:
    """At the share `progress` of a training; a function of the place in the schedule alone."""
    place = min(max((progress - gating.begin) / (gating.end - gating.begin), 0.0), 1.0)
    beta, temperature, contribution = (
        first + (last - first) * place for first, last in (gating.beta, gating.temperature, gating.contribution)
    )
    return Annealed(beta if has_begun(gating, progress) else 0.0, temperature, contribution)


def sampled(logits: torch.Tensor, at: Annealed) -> tuple[torch.Tensor, torch.Tensor]:
    """Gumbel-sigmoid samples in [0, 1], and their logarithms, of the same shape; torch's generator draws the noise.

    Without noise and at temperature 1 they are the probabilities themselves.
    """
    if at.contribution > 0:
        # The difference of two Gumbel variables is logistic.
        uniform = torch.rand_like(logits).clamp_(1e-6, 1 - 1e-6)
        logits = logits + at.contribution * torch.logit(uniform)
    logits = logits / at.temperature
    return logits.sigmoid(), functional.logsigmoid(logits)
