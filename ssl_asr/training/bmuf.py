"""Blockwise model-update filtering: workers train alone for a block, then one filtered step moves the model.

Chen & Huo, ICASSP 2016. theta is the global model, delta the filtered update, N the workers:

    G = mean(W_i) - start        start: what this block was begun from
    delta = eta delta + zeta G
    theta = theta + delta
    start = theta + eta delta    (Nesterov)    or    theta    (classical)

The look-ahead eta delta never enters theta. Storing it back, as the form printed in some papers and public codes
does, is classical block momentum with a block rate (1 + eta) zeta. theta is what is evaluated and exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training import collective, flat

Variant = Literal["nesterov", "classical", "literal"]


def block_momentum(workers: int) -> float:
    """eta = 1 - 1/N: with zeta = 1, N workers' averaged updates add up to what one worker would have done."""
    return 1 - 1 / workers


def block_rate(c: float, workers: int, eta: float) -> float:
    """zeta = C N (1 - eta); the rule zeta / (N (1 - eta)) = C, right for any eta and N."""
    return c * workers * (1 - eta)


def bmuf_update(
    theta: torch.Tensor, delta: torch.Tensor, average: torch.Tensor, start: torch.Tensor, eta: float, zeta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """New (theta, delta) from the average of the workers' models at the end of a block begun from `start`."""
    delta = eta * delta + zeta * (average - start)
    return theta + delta, delta


def block_start(theta: torch.Tensor, delta: torch.Tensor, eta: float, variant: Variant) -> torch.Tensor:
    """The model that every worker begins the next block from."""
    return theta + eta * delta if variant == "nesterov" else theta.clone()


@dataclass(frozen=True)
class Synced:
    """What a block's end tells: frames of all workers, and how many contributions were dropped as not finite."""

    frames: int
    dropped: int


class Bmuf:
    """BMUF as a callback on the training loop; theta and delta are its state."""

    def __init__(self, model: nn.Module, optimiser: torch.optim.Optimizer, sync: Sync, workers: int) -> None:
        self.model, self.optimiser, self.sync = model, optimiser, sync
        self.eta = block_momentum(workers) if sync.eta is None else sync.eta
        self.zeta = block_rate(sync.c, workers, self.eta)
        self.theta = flat.parameters(model)
        self.delta = torch.zeros_like(self.theta)
        self.start = self.theta.clone()

    def on_block_start(self, batches: int) -> int:
        """Steps of this block: as many as this worker has batches."""
        self.start = block_start(self.theta, self.delta, self.eta, self.sync.variant)
        flat.unflatten_into(self.start, self.model.parameters())
        return batches

    def on_after_backward(self, frames: int) -> None:
        """Within a block workers don't speak."""

    def on_block_end(self, frames: int) -> Synced:
        """Average over frames, leaving out models that are not finite; then one filtered step."""
        mine = flat.parameters(self.model)
        finite = bool(torch.isfinite(mine).all())
        weight = float(frames) if finite else 0.0
        counts = [weight, float(frames), 0.0 if finite else 1.0]
        totals = collective.sum_(torch.tensor(counts, dtype=torch.float64, device=mine.device))
        used, all_frames, dropped = totals.tolist()
        if used:
            average = collective.sum_(mine * (weight / used) if finite else torch.zeros_like(mine))
            self.theta, self.delta = bmuf_update(self.theta, self.delta, average, self.start, self.eta, self.zeta)
        self._share_optimiser_state(weight, used)
        return Synced(int(all_frames), int(dropped))

    def _share_optimiser_state(self, weight: float, used: float) -> None:
        """Local momentum belongs to a model that no longer exists: forget it, or carry on with the workers' mean."""
        if self.sync.optimiser_state == "reset" or not used:
            self.optimiser.state.clear()
            return
        # A worker that has had no batch yet has no state, but joins the sum like all others.
        make_state(self.optimiser)
        moments = optimiser_moments(self.optimiser)
        if not moments:
            return
        mine = flat.flatten(moments)
        share = mine * (weight / used) if weight else torch.zeros_like(mine)
        flat.unflatten_into(collective.sum_(share), moments)
        steps = collective.largest(optimiser_steps(self.optimiser))
        for state in self.optimiser.state.values():
            if "step" in state:
                state["step"].fill_(steps)

    def global_model(self) -> torch.Tensor:
        return self.theta

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"theta": self.theta, "delta": self.delta}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.theta.copy_(state["theta"])
        self.delta.copy_(state["delta"])


def make_state(optimiser: torch.optim.Optimizer) -> None:
    """Give every parameter the state that the optimiser's first step would begin from, where it has none."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            if optimiser.state.get(parameter):
                continue
            if isinstance(optimiser, torch.optim.Adam):
                state = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                optimiser.state[parameter] = {"step": torch.tensor(0.0), **state}
            elif group.get("momentum"):
                optimiser.state[parameter] = {"momentum_buffer": torch.zeros_like(parameter)}


def optimiser_moments(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Momentum or Adam moments of every parameter, in a fixed order; empty before the first step."""
    names = ("momentum_buffer", "exp_avg", "exp_avg_sq")
    found = []
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            state = optimiser.state.get(parameter, {})
            found += [state[name] for name in names if state.get(name) is not None]
    return found


def optimiser_steps(optimiser: torch.optim.Optimizer) -> int:
    return max((int(state["step"]) for state in optimiser.state.values() if "step" in state), default=0)
