"""Blockwise model-update filtering (BMUF), an outer optimiser: workers train alone for a block, then one step.

Chen & Huo, ICASSP 2016. theta is the global model, delta the filtered update:

    G = mean(W_i - start)        start: what this block was begun from; the mean is over weights
    delta = eta delta + zeta G
    theta = theta + delta                  (Nesterov, classical)    theta = theta + (1 + eta) delta    (literal)
    start = theta + eta delta              (Nesterov)               start = theta                      (others)

True Nesterov keeps the look-ahead eta delta out of theta. Some papers and public codes store it in theta: this is
`literal`, which equals classical block momentum with a block rate (1 + eta) zeta.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ssl_asr.recipe import Sync, Variant
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Group, sum_numbers
from ssl_asr.training.sync.moments import OptimiserMoments
from ssl_asr.training.sync.strategy import MEGABYTES_SENT, Replicated, State, Synced
from ssl_asr.training.sync.traffic import all_reduce_bytes


def block_momentum(workers: int) -> float:
    """eta = 1 - 1/N: with zeta = 1, the averaged updates of N workers add up to the update of one worker."""
    return 1 - 1 / workers


def block_rate(c: float, workers: float, eta: float) -> float:
    """zeta = C N (1 - eta), from the rule zeta / (N (1 - eta)) = C for any eta and N."""
    return c * workers * (1 - eta)


def contributors(total: float, squares: float) -> float:
    """How many full workers stand behind a weighted mean: (sum w)^2 / sum w^2, from those two sums.

    N where all have equal weights, 1 where one has all the weight. With it for N in zeta, a short last block or a
    dropped worker moves the model by what was really trained, not by a full block's worth.
    """
    return total * total / squares


def bmuf_update(
    theta: torch.Tensor, delta: torch.Tensor, update: torch.Tensor, eta: float, zeta: float, variant: Variant
) -> tuple[torch.Tensor, torch.Tensor]:
    """New (theta, delta) from `update`, the mean of the workers' changes since the block's start."""
    delta = (zeta * update).add_(delta, alpha=eta)
    return theta.add(delta, alpha=1 + eta if variant == "literal" else 1), delta


def block_start(theta: torch.Tensor, delta: torch.Tensor, eta: float, variant: Variant) -> torch.Tensor:
    """The model from which every worker starts the next block."""
    return theta.add(delta, alpha=eta) if variant == "nesterov" else theta.clone()


def mean_update(group: Group, update: torch.Tensor, weight: float, wire: torch.dtype) -> torch.Tensor:
    """Sum of `weight` times each worker's flat update; sent and added in `wire`, returned in the type of `update`.

    `update` is modified in place: allocation dominates a block's end.
    """
    update.mul_(weight)
    if wire == update.dtype:
        return group.sum_(update)
    return update.copy_(group.sum_(update.to(wire)))


class Bmuf(Replicated):
    """BMUF as callbacks of the training loop; theta, delta and the moments' block count are its state."""

    def __init__(self, model: nn.Module, optimiser: torch.optim.Optimizer, sync: Sync, group: Group) -> None:
        self.model, self.sync, self.group = model, sync, group
        self.eta = block_momentum(group.size) if sync.eta is None else sync.eta
        self.theta = flat.parameters(model)
        self.delta = torch.zeros_like(self.theta)
        self.start = self.theta.clone()
        self.wire = getattr(torch, sync.wire)
        self.moments = OptimiserMoments(optimiser, sync.optimiser_state, group)
        self._steps = 0

    def begin_from(self, model: torch.Tensor) -> None:
        """Reset the state; `model` is the first global model."""
        self.theta, self.delta = model.clone(), torch.zeros_like(model)

    def on_block_start(self, batch_weights: Sequence[float]) -> int:
        """Steps of this block: as many as this worker has batches."""
        self.start = block_start(self.theta, self.delta, self.eta, self.sync.variant)
        flat.unflatten_into(self.start, self.model.parameters())
        self.moments.on_block_start()
        self._steps = 0
        return len(batch_weights)

    def on_after_backward(self) -> int:
        """Workers don't communicate within a block."""
        self._steps += 1
        return 1

    def on_block_end(self, weight: float, frames: int) -> Synced:
        """Average by weight, leaving out models that are not finite; then one filtered step."""
        update = flat.parameters(self.model).sub_(self.start)
        finite = flat.is_finite(update)
        weight = weight if finite else 0.0
        numbers = [weight, weight**2, weight * self._steps, float(frames), float(not finite)]
        used, squares, steps, all_frames, dropped = sum_numbers(self.group, numbers, update.device)
        if used:
            share = weight / used
            update = mean_update(self.group, update if share else torch.zeros_like(update), share, self.wire)
            zeta = self._zeta(contributors(used, squares))
            self.theta, self.delta = bmuf_update(self.theta, self.delta, update, self.eta, zeta, self.sync.variant)
            self.moments.on_block_end(share, steps / used, self.eta, zeta, self.sync.variant)
        elif dropped:
            self.moments.forget()  # of models that are gone; where nobody had a batch, nothing has happened
        payload = update.numel() * self.wire.itemsize + self.moments.payload() if used else 0
        meters = {
            "bmuf_delta_norm": float(self.delta.norm()),
            MEGABYTES_SENT: all_reduce_bytes(self.group.size, payload) / 1e6,
        }
        return Synced(int(all_frames), int(dropped), meters)

    def _zeta(self, contributing: float) -> float:
        if self.sync.zeta is not None:
            return self.sync.zeta * contributing / self.group.size
        return block_rate(self.sync.c, contributing, self.eta)

    def global_model(self) -> torch.Tensor:
        return self.theta

    def state_dict(self) -> State:
        return {
            "theta": self.theta,
            "delta": self.delta,
            "block_steps": torch.tensor(self.moments.filtered_steps, dtype=torch.float64),
        }

    def load_state_dict(self, state: State) -> None:
        self.theta, self.delta = state["theta"].clone(), state["delta"].clone()
        self.moments.filtered_steps = float(state["block_steps"])
