"""What happens to the local optimiser's momentum or Adam moments when the workers' models are averaged.

reset      forgotten: they belong to models that no longer exist
average    every worker goes on with the mean, by the workers' weights
correct    BMUF-Adam (Chen, Ding & Huo, ICASSP 2020): the mean, carried on by as many steps as block momentum
           moves the model beyond what the workers trained
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ssl_asr.recipe import MomentPolicy, Variant
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Group

_NAMES = ("momentum_buffer", "exp_avg", "exp_avg_sq")


def corrected_moment(
    before: torch.Tensor, average: torch.Tensor, beta: float, steps: float, extra: float
) -> torch.Tensor:
    """The workers' `average` moment, `steps` steps after `before`, extrapolated by `extra` further steps.

    With b = beta: (b^steps (b^extra - 1) before + (1 - b^(steps + extra)) average) / (1 - b^steps).
    """
    kept, further = beta**steps, beta**extra
    return (kept * (further - 1) * before + (1 - kept * further) * average) / (1 - kept)


class OptimiserMoments:
    """The moments of one worker's optimiser, combined at the end of a block according to `policy`.

    `filtered_steps` is rho of BMUF-Adam: the number of local steps in the filtered update delta.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, policy: MomentPolicy, group: Group) -> None:
        self.optimiser, self.policy, self.group = optimiser, policy, group
        self.filtered_steps = 0.0
        self._before: torch.Tensor | None = None
        self._steps_before = 0.0

    def on_block_start(self) -> None:
        if self.policy == "correct":
            make_state(self.optimiser)
            self._before = flat.flatten(moments_of(self.optimiser))
            self._steps_before = steps_of(self.optimiser)

    def on_block_end(self, share: float, steps: float, eta: float, zeta: float, variant: Variant) -> None:
        """`share` is this worker's weight in the mean, `steps` the mean number of the workers' steps."""
        if self.policy == "reset":
            self.forget()
            return
        make_state(self.optimiser)  # so that a worker without a batch so far can join the sum
        moments = moments_of(self.optimiser)
        if not moments:
            return
        mine = flat.flatten(moments)
        average = self.group.sum_(mine * share if share else torch.zeros_like(mine))
        if self.policy == "correct":
            extra = self._filter_steps(steps, eta, zeta, variant)
            self._carry_on(average, moments, steps, extra)
            set_steps(self.optimiser, self._steps_before + steps + extra)
            return
        flat.unflatten_into(average, moments)
        set_steps(self.optimiser, max(self.group.gather_objects(steps_of(self.optimiser))))

    def payload(self) -> int:
        """Bytes of the moments that are averaged at a block's end."""
        if self.policy == "reset":
            return 0
        return sum(moment.numel() * moment.element_size() for moment in moments_of(self.optimiser))

    def _filter_steps(self, steps: float, eta: float, zeta: float, variant: Variant) -> float:
        """Steps by which the next block starts ahead of the workers' mean; never negative."""
        before = self.filtered_steps
        self.filtered_steps = eta * before + zeta * steps
        ahead = {
            "nesterov": (1 + eta) * self.filtered_steps - eta * before,
            "classical": self.filtered_steps,
            "literal": (1 + eta) * self.filtered_steps,
        }
        return max(ahead[variant] - steps, 0.0)

    def _carry_on(self, average: torch.Tensor, moments: list[torch.Tensor], steps: float, extra: float) -> None:
        assert self._before is not None
        begin = 0
        for moment, (beta, squared) in zip(moments, _betas(self.optimiser), strict=True):
            span = slice(begin, begin + moment.numel())
            begin = span.stop
            moved = corrected_moment(self._before[span], average[span], beta, steps, extra)
            # A mean of squares can be negative only by rounding.
            moment.copy_((moved.clamp(min=0) if squared else moved).view_as(moment))

    def forget(self) -> None:
        self.optimiser.state.clear()


def make_state(optimiser: torch.optim.Optimizer) -> None:
    """Give every parameter without optimiser state the state from before the first step."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            if optimiser.state.get(parameter):
                continue
            if isinstance(optimiser, torch.optim.Adam):
                state = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                # A fused optimiser keeps the step counter on the parameter's device.
                where = parameter.device if group.get("fused") else torch.device("cpu")
                optimiser.state[parameter] = {"step": torch.tensor(0.0, device=where), **state}
            elif group.get("momentum"):
                optimiser.state[parameter] = {"momentum_buffer": torch.zeros_like(parameter)}


def moments_of(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Momentum or Adam moments of every parameter, in a fixed order; empty before the first step."""
    states = [optimiser.state.get(parameter, {}) for parameter in _parameters(optimiser)]
    return [state[name] for state in states for name in _NAMES if state.get(name) is not None]


def _betas(optimiser: torch.optim.Optimizer) -> Iterator[tuple[float, bool]]:
    """In the order of `moments_of`: each moment's decay, and whether it is one of squares."""
    for group in optimiser.param_groups:
        for _ in group["params"]:
            yield group["betas"][0], False
            yield group["betas"][1], True


def steps_of(optimiser: torch.optim.Optimizer) -> float:
    return max((float(state["step"]) for state in optimiser.state.values() if "step" in state), default=0.0)


def set_steps(optimiser: torch.optim.Optimizer, steps: float) -> None:
    """Of all parameters that learn: a frozen one has taken none."""
    for parameter, state in optimiser.state.items():
        if "step" in state and parameter.requires_grad:
            state["step"].fill_(steps)


def steps_of_each(optimiser: torch.optim.Optimizer) -> torch.Tensor:
    """Of every parameter, [parameters], 0 where it has no count: one that was frozen has taken fewer."""
    states = [optimiser.state.get(parameter, {}) for parameter in _parameters(optimiser)]
    return torch.tensor([float(state.get("step", 0.0)) for state in states], dtype=torch.float64)


def set_steps_of_each(optimiser: torch.optim.Optimizer, steps: torch.Tensor) -> None:
    for parameter, count in zip(_parameters(optimiser), steps.tolist(), strict=True):
        if "step" in optimiser.state[parameter]:
            optimiser.state[parameter]["step"].fill_(count)


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
