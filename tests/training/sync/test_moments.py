"""What becomes of Adam's moments at a block's end: BMUF-Adam's correction against the recursion it stands for."""

import pytest
import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync.bmuf import Bmuf
from ssl_asr.training.sync.moments import corrected_moment, moments_of, steps_of
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate


@pytest.mark.parametrize(("steps", "extra"), [(4, 0), (4, 6), (9, 2.5)])
def test_corrected_moment_is_what_more_steps_of_the_same_gradient_would_make(steps: int, extra: float) -> None:
    beta = 0.9
    before, gradient = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)

    def after(count: float) -> torch.Tensor:
        return beta**count * before + (1 - beta**count) * gradient

    torch.testing.assert_close(corrected_moment(before, after(steps), beta, steps, extra), after(steps + extra))


def trained(group: SimulatedGroup, policy: str, blocks: int, variant: str = "nesterov") -> tuple[torch.Tensor, float]:
    """Moments and steps after blocks of three steps whose gradient is always 1 in every element."""
    torch.manual_seed(1)
    model = nn.Linear(2, 2, dtype=torch.float64)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    bmuf = Bmuf(model, optimiser, Sync(optimiser_state=policy, variant=variant), group)
    for _ in range(blocks):
        for _ in range(bmuf.on_block_start([10] * 3)):
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
            bmuf.on_after_backward()
            optimiser.step()
        bmuf.on_block_end(30, 30)
    return torch.stack([moment.flatten()[0] for moment in moments_of(optimiser)]), steps_of(optimiser)


@pytest.mark.parametrize("variant", ["nesterov", "classical", "literal"])
def test_correction_counts_the_steps_that_block_momentum_adds(variant: str) -> None:
    """With a constant gradient a moment tells how many steps it stands for: those that start has moved by."""
    eta, zeta, filtered, moved, lead = 0.5, 1.0, 0.0, 0.0, 0.0
    for _ in range(4):
        filtered = eta * filtered + zeta * 3
        moved += filtered * (1 + eta if variant == "literal" else 1)
        lead = eta * filtered if variant == "nesterov" else 0.0
    for moments, steps in simulate(2, lambda group: trained(group, "correct", 4, variant)):
        assert steps == pytest.approx(moved + lead)
        expected = torch.tensor([1 - 0.9**steps, 1 - 0.999**steps] * 2, dtype=torch.float64)
        torch.testing.assert_close(moments, expected)


def test_average_stands_for_the_workers_own_steps_and_reset_for_none() -> None:
    for moments, steps in simulate(2, lambda group: trained(group, "average", 4)):
        assert steps == 12
        torch.testing.assert_close(moments[0], torch.tensor(1 - 0.9**12, dtype=torch.float64))

    def state(group: SimulatedGroup) -> int:
        model = nn.Linear(2, 2)
        optimiser = torch.optim.Adam(model.parameters())
        bmuf = Bmuf(model, optimiser, Sync(optimiser_state="reset"), group)
        bmuf.on_block_start([1])
        model(torch.ones(1, 2)).sum().backward()
        bmuf.on_after_backward()
        optimiser.step()
        bmuf.on_block_end(1, 1)
        return len(optimiser.state)

    assert simulate(2, state) == [0, 0]
