"""GTC: words as they are sent, mass that is never lost, ranks that stay alike, a threshold that adapts."""

import numpy as np
import pytest
import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Group, SingleWorker
from ssl_asr.training.sync.gtc import Gtc, adapted_tau, first_tau, gtc_add, gtc_compress
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate

SIZE = 400


def test_words_hold_index_and_sign_and_leave_the_rest() -> None:
    residual = torch.tensor([0.5, -3.0, 2.0, -1.9, 7.0], dtype=torch.float64)
    words = gtc_compress(residual, 2.0)
    assert words.dtype == torch.int32
    assert words.tolist() == [1 - 2**31, 2, 4]
    assert residual.tolist() == [0.5, -1.0, 0.0, -1.9, 5.0]
    update = torch.zeros(5, dtype=torch.float64)
    gtc_add(words, 2.0, update)
    assert update.tolist() == [0, -2, 2, 0, 2]


def test_matches_a_plain_numpy_reference() -> None:
    draw, tau = np.random.default_rng(0), 1.5
    residual, ours = np.zeros(SIZE), torch.zeros(SIZE, dtype=torch.float64)
    for _ in range(20):
        gradient = draw.standard_normal(SIZE)
        residual += gradient
        sent = np.where(np.abs(residual) >= tau, np.sign(residual) * tau, 0)
        residual -= sent
        ours += torch.from_numpy(gradient)
        update = torch.zeros(SIZE, dtype=torch.float64)
        gtc_add(gtc_compress(ours, tau), tau, update)
        torch.testing.assert_close(update, torch.from_numpy(sent))
        torch.testing.assert_close(ours, torch.from_numpy(residual))


def test_no_element_is_missed_wherever_it_lies() -> None:
    """More elements than are looked through at once, one past the threshold at every edge."""
    size = 200_001
    residual = torch.full((size,), 0.5)
    past = [0, 2**16 - 1, 2**16, 2**17 - 1, 2**17, size - 1]
    residual[past] = torch.tensor([1.0, -1.0, 2.0, -2.0, 3.0, -3.0])
    words = gtc_compress(residual, 1.0)
    assert (words & (2**31 - 1)).tolist() == past
    assert (words < 0).tolist() == [False, True] * 3
    assert residual[past].tolist() == [0, 0, 1, -1, 2, -2]
    assert residual.sum() == 0.5 * (size - len(past))


def gradient_of(step: int, rank: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng([step, rank]).standard_normal(SIZE))


def make_gtc(group: Group, **settings: object) -> tuple[nn.Linear, Gtc]:
    model = nn.Linear(SIZE, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(model.weight)
    return model, Gtc(model, Sync(strategy="gtc", **{"gtc_dense_steps": 0, "gradients": "sum", **settings}), group)


def updates(group: Group, model: nn.Linear, gtc: Gtc, steps: range) -> torch.Tensor:
    """Sum of what the optimiser is given, over steps in which all workers have equal frames."""
    total = torch.zeros(SIZE, dtype=torch.float64)
    gtc.on_block_start([5] * len(steps))
    for step in steps:
        model.weight.grad = gradient_of(step, group.rank)[None].clone()
        gtc.on_after_backward()
        assert model.weight.grad is not None
        total += model.weight.grad[0]
    gtc.on_block_end(5 * len(steps), 5 * len(steps))
    return total


@pytest.mark.parametrize("settings", [{}, {"gtc_tau": 2.0, "gtc_share": None}, {"gtc_dense_steps": 7}])
def test_mass_is_conserved_over_resizes(settings: dict[str, object]) -> None:
    """4, then 3, then 5 workers: all that was sent and all that is left is the sum of all gradients."""
    sent = torch.zeros(SIZE, dtype=torch.float64)
    given = torch.zeros(SIZE, dtype=torch.float64)
    shared, own = {}, []
    for workers, steps in ((4, range(0, 10)), (3, range(10, 25)), (5, range(25, 40))):

        def work(
            group: SimulatedGroup, steps: range = steps, shared: dict = shared, own: list = own
        ) -> tuple[torch.Tensor, dict, dict]:
            model, gtc = make_gtc(group, **settings)
            if own:
                gtc.load_state_dict(shared)
                gtc.load_local_state_dicts(own[group.rank :: group.size], redistributed=True)
            return updates(group, model, gtc, steps), gtc.state_dict(), gtc.local_state_dict()

        results = simulate(workers, work)
        assert all(torch.equal(update, results[0][0]) for update, _, _ in results)
        sent += results[0][0]
        given += sum(gradient_of(step, rank) for step in steps for rank in range(workers))
        shared, own = results[0][1], [state for _, _, state in results]
    left = sum(state["residual"] for state in own)
    torch.testing.assert_close(sent + left, given, rtol=0, atol=1e-10)
    assert left.abs().sum() > 1


def test_as_many_workers_as_before_get_their_own_residuals_back() -> None:
    def work(group: SimulatedGroup) -> None:
        _, gtc = make_gtc(group)
        state = {"residual": torch.full((SIZE,), float(group.rank), dtype=torch.float64)}
        gtc.load_local_state_dicts([state], redistributed=False)
        assert gtc.residual.eq(group.rank).all()

    simulate(3, work)


def test_small_threshold_follows_dense_gradients() -> None:
    """Summed over a while, what is sent differs from the gradients by less than what can wait."""
    model, gtc = make_gtc(SingleWorker(), gtc_tau=0.01, gtc_share=None)
    total = torch.zeros(SIZE, dtype=torch.float64)
    gtc.on_block_start([1] * 2000)
    for _ in range(2000):
        model.weight.grad = torch.full((1, SIZE), 0.004, dtype=torch.float64)
        gtc.on_after_backward()
        total += model.weight.grad[0]
    torch.testing.assert_close(total, torch.full((SIZE,), 8.0, dtype=torch.float64), rtol=0, atol=0.0101)


def test_threshold_adapts_to_the_share_asked_for() -> None:
    model, gtc = make_gtc(SingleWorker(), gtc_share=0.02, gtc_tau=1e-4)
    updates(SingleWorker(), model, gtc, range(200))
    gtc.on_block_start([5] * 100)
    for step in range(200, 300):
        model.weight.grad = gradient_of(step, 0)[None]
        gtc.on_after_backward()
    assert gtc.on_block_end(500, 500).meters["gtc_sent_share"] == pytest.approx(0.02, rel=0.2)


def test_threshold_moves_with_the_share_and_not_too_fast() -> None:
    assert adapted_tau(1.0, 0.01, 0.01) == 1.0
    assert adapted_tau(1.0, 0.02, 0.01) == pytest.approx(1.1)
    assert adapted_tau(1.0, 0.0, 0.01) == pytest.approx(0.9)
    assert adapted_tau(1.0, 1.0, 0.01) == 1.25
    assert first_tau(torch.arange(1000.0), 0.1) == pytest.approx(900, abs=2)


def test_gradient_that_is_not_finite_never_reaches_the_residual() -> None:
    model, gtc = make_gtc(SingleWorker(), gtc_tau=0.5, gtc_share=None)
    gtc.on_block_start([5, 5])
    model.weight.grad = torch.full((1, SIZE), float("nan"), dtype=torch.float64)
    gtc.on_after_backward()
    assert model.weight.grad.eq(0).all()
    model.weight.grad = torch.ones(1, SIZE, dtype=torch.float64)
    gtc.on_after_backward()
    assert model.weight.grad.eq(0.5).all()
    assert gtc.on_block_end(10, 10).dropped == 1


def test_without_any_gradient_nothing_is_sent() -> None:
    model, gtc = make_gtc(SingleWorker())
    gtc.on_block_start([5])
    model.weight.grad = torch.zeros(1, SIZE, dtype=torch.float64)
    gtc.on_after_backward()
    assert gtc.on_block_end(5, 5).meters["megabytes_sent"] == 0
    assert flat.parameters(model).eq(0).all()


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_more_asked_for_than_there_is_sends_what_there_is(share: float) -> None:
    """A quarter of the elements has a gradient, as with inputs that are always 0."""
    model, gtc = make_gtc(SingleWorker(), gtc_share=share)
    gtc.on_block_start([5] * 3)
    for step in range(3):
        model.weight.grad = gradient_of(step, 0)[None] * (torch.arange(SIZE) % 4 == 0)
        gtc.on_after_backward()
    assert 0.05 < gtc.on_block_end(15, 15).meters["gtc_sent_share"] <= 0.25


def test_mass_is_conserved_with_uneven_frames_and_a_dropped_gradient() -> None:
    """What is lost is the one gradient that was not finite, and no more."""
    frames = ([30, 10, 20], [5, 5], [])

    def work(group: SimulatedGroup) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        model, gtc = make_gtc(group, gtc_tau=0.3, gtc_share=None, gradients="mean")
        mine, sent, given = frames[group.rank], torch.zeros(SIZE).double(), torch.zeros(SIZE).double()
        for step in range(gtc.on_block_start(mine)):
            total = sum(hand[step] for hand in frames if step < len(hand))
            gradient = gradient_of(step, group.rank) if step < len(mine) else None
            broken = group.rank == 0 and step == 1
            if gradient is not None:
                given += 0 if broken else gradient * mine[step] / total
                gradient = torch.full_like(gradient, float("inf")) if broken else gradient
            model.weight.grad = None if gradient is None else gradient[None].clone()
            gtc.on_after_backward()
            assert model.weight.grad is not None
            sent += model.weight.grad[0]
        assert gtc.on_block_end(sum(mine), sum(mine)).dropped == 1
        return sent, given, gtc.residual

    results = simulate(3, work)
    left, given = (sum(result[place] for result in results) for place in (2, 1))
    torch.testing.assert_close(results[0][0] + left, given, rtol=0, atol=1e-12)
