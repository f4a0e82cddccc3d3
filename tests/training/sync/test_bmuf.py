"""BMUF kernels against a plain NumPy reference and the identities that every correct form keeps."""

import numpy as np
import pytest
import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.bmuf import Bmuf, block_momentum, block_rate, bmuf_update, contributors
from ssl_asr.training.sync.group import SingleWorker
from ssl_asr.training.sync.moments import moments_of
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate

DIMENSION = 7
VARIANTS = ["nesterov", "classical", "literal"]


def updates(blocks: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((blocks, DIMENSION))


def run_kernel(moves: np.ndarray, eta: float, zeta: float, variant: str) -> torch.Tensor:
    """Feed the workers' mean moves, block after block."""
    theta, delta = torch.zeros(DIMENSION, dtype=torch.float64), torch.zeros(DIMENSION, dtype=torch.float64)
    for move in torch.from_numpy(moves):
        theta, delta = bmuf_update(theta, delta, move, eta, zeta, variant)
    return theta


def numpy_bmuf(
    targets: np.ndarray, frames: np.ndarray, eta: float, c: float, variant: str, rate: float = 0.1
) -> np.ndarray:
    """Workers that each move a share `rate` of the way from the block's start to a target; [block, worker, D]."""
    theta, delta = np.zeros(DIMENSION), np.zeros(DIMENSION)
    for target_wd, frames_w in zip(targets, frames, strict=True):
        start = theta + eta * delta if variant == "nesterov" else theta
        ends_wd = start + rate * (target_wd - start)
        gradient = np.average(ends_wd, axis=0, weights=frames_w) - start
        zeta = c * frames_w.sum() ** 2 / (frames_w**2).sum() * (1 - eta)
        delta = eta * delta + zeta * gradient
        theta = theta + (delta + eta * delta if variant == "literal" else delta)
    return theta


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("eta", [None, 0.4])
def test_four_workers_match_the_numpy_reference(variant: str, eta: float | None) -> None:
    draw = np.random.default_rng(3)
    targets, frames = draw.standard_normal((12, 4, DIMENSION)), draw.integers(1, 50, (12, 4)).astype(float)

    def work(group: SimulatedGroup) -> torch.Tensor:
        model = nn.Linear(DIMENSION, 1, bias=False, dtype=torch.float64)
        nn.init.zeros_(model.weight)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        bmuf = Bmuf(model, optimiser, Sync(variant=variant, eta=eta, c=1.25), group)
        for target, count in zip(targets[:, group.rank], frames[:, group.rank], strict=True):
            assert bmuf.on_block_start([int(count)]) == 1
            model.weight.grad = model.weight.detach() - torch.from_numpy(target)
            bmuf.on_after_backward()
            optimiser.step()
            bmuf.on_block_end(int(count), int(count))
        return bmuf.global_model()

    thetas = simulate(4, work)
    expected = numpy_bmuf(targets, frames, 0.75 if eta is None else eta, 1.25, variant)
    torch.testing.assert_close(thetas[0], torch.from_numpy(expected))
    assert all(torch.equal(theta, thetas[0]) for theta in thetas)


def test_without_momentum_one_worker_is_plain_training() -> None:
    moves = updates(10)
    for variant in VARIANTS:
        result = run_kernel(moves, eta=0.0, zeta=1.0, variant=variant)
        torch.testing.assert_close(result, torch.from_numpy(moves.sum(0)))


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_constant_update_is_applied_n_times(workers: int) -> None:
    eta = block_momentum(workers)
    zeta = block_rate(1.0, workers, eta)
    assert zeta == pytest.approx(1.0)
    moves = np.ones((40 * workers, DIMENSION))
    moved = run_kernel(moves, eta, zeta, "classical") - run_kernel(moves[:-1], eta, zeta, "classical")
    torch.testing.assert_close(
        moved, torch.full((DIMENSION,), float(workers), dtype=torch.float64), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("eta", [0.0, 0.5, 0.9])
def test_block_rate_keeps_c_for_any_momentum(eta: float) -> None:
    assert block_rate(1.5, 16, eta) / (16 * (1 - eta)) == pytest.approx(1.5)


def test_literal_is_classical_with_a_larger_rate() -> None:
    moves, eta, zeta = updates(15), 0.8, 0.7
    literal = run_kernel(moves, eta, zeta, "literal")
    torch.testing.assert_close(literal, run_kernel(moves, eta, zeta * (1 + eta), "classical"))


def test_the_published_conventions_convert() -> None:
    """CNTK and kaldi-aslp take the sum and gain (1 - eta); older fairseq and pika the mean and (1 - eta)."""
    workers, eta, moves = 8, 0.6, updates(30)
    ours = run_kernel(moves, eta, block_rate(1.0, workers, eta), "classical")
    summed = run_kernel(moves * workers, eta, 1 - eta, "classical")
    torch.testing.assert_close(ours, summed)
    mean_and_gain = run_kernel(moves, eta, 1 - eta, "classical")
    torch.testing.assert_close(
        mean_and_gain, run_kernel(moves, eta, block_rate(1 / workers, workers, eta), "classical")
    )


def test_contributors_of_equal_and_of_lone_workers() -> None:
    assert contributors(4 * 30.0, 4 * 30.0**2) == 4
    assert contributors(30.0, 30.0**2) == 1
    assert 1 < contributors(40.0, 30.0**2 + 10.0**2) < 2


def test_identical_workers_without_momentum_are_one_worker() -> None:
    """With eta = 0 and C = 1/N the rate is 1: the mean of equal models is the model."""

    def work(group: SimulatedGroup) -> torch.Tensor:
        model, optimiser, bmuf = make_bmuf(group, eta=0.0, c=1 / group.size)
        for seed in range(3):
            train_block(model, optimiser, bmuf, seed)
        return bmuf.global_model()

    (alone,), together = simulate(1, work), simulate(4, work)
    torch.testing.assert_close(together[0], alone)


def test_short_last_block_moves_the_model_by_its_own_worth() -> None:
    """One slab for two workers: the one that trains counts as one worker, not as two."""

    def work(group: SimulatedGroup) -> torch.Tensor:
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        bmuf = Bmuf(model, torch.optim.SGD(model.parameters(), lr=1.0), Sync(eta=0.0, c=1.0), group)
        bmuf.on_block_start([10] if group.rank == 0 else [])
        with torch.no_grad():
            model.weight += 1.0 if group.rank == 0 else 0.0
        bmuf.on_block_end(10 if group.rank == 0 else 0, 10 if group.rank == 0 else 0)
        return bmuf.global_model()

    assert [float(theta) for theta in simulate(2, work)] == [1.0, 1.0]


def test_wire_of_bfloat16_is_near_and_alike_on_all() -> None:
    def trained(wire: str) -> list[torch.Tensor]:
        def work(group: SimulatedGroup) -> torch.Tensor:
            model, optimiser, bmuf = make_bmuf(group, wire=wire)
            for seed in range(3):
                train_block(model, optimiser, bmuf, seed + 10 * group.rank)
            return bmuf.global_model()

        return simulate(3, work)

    (exact, *_), coarse = trained("float32"), trained("bfloat16")
    assert all(torch.equal(theta, coarse[0]) for theta in coarse)
    assert 0 < (coarse[0] - exact).abs().max() < 0.02


def make_bmuf(group: object = None, **settings: object) -> tuple[nn.Module, torch.optim.Optimizer, Bmuf]:
    torch.manual_seed(3)
    model = nn.Linear(4, 3)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    return model, optimiser, Bmuf(model, optimiser, Sync(**settings), group or SingleWorker())


def train_block(model: nn.Module, optimiser: torch.optim.Optimizer, bmuf: Bmuf, seed: int) -> None:
    bmuf.on_block_start([8, 8, 8])
    torch.manual_seed(seed)
    for _ in range(3):
        optimiser.zero_grad()
        model(torch.randn(8, 4)).square().sum().backward()
        bmuf.on_after_backward()
        optimiser.step()
    bmuf.on_block_end(24, 24)


@pytest.mark.parametrize("policy", ["average", "correct"])
def test_one_worker_is_plain_adam(policy: str) -> None:
    model, optimiser, bmuf = make_bmuf(optimiser_state=policy)
    plain = nn.Linear(4, 3)
    plain.load_state_dict(model.state_dict())
    plain_optimiser = torch.optim.Adam(plain.parameters(), lr=0.05)
    for seed in range(4):
        train_block(model, optimiser, bmuf, seed)
        torch.manual_seed(seed)
        for _ in range(3):
            plain_optimiser.zero_grad()
            plain(torch.randn(8, 4)).square().sum().backward()
            plain_optimiser.step()
    torch.testing.assert_close(bmuf.theta, flat.parameters(plain))


def test_reset_forgets_local_momentum_and_average_keeps_it() -> None:
    for setting, empty in (("reset", True), ("average", False)):
        model, optimiser, bmuf = make_bmuf(optimiser_state=setting)
        train_block(model, optimiser, bmuf, 0)
        assert (not optimiser.state) == empty


def test_model_that_is_not_finite_is_dropped_and_counted() -> None:
    model, optimiser, bmuf = make_bmuf()
    train_block(model, optimiser, bmuf, 0)
    before = bmuf.theta.clone()
    bmuf.on_block_start([10])
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
    synced = bmuf.on_block_end(10, 10)
    assert (synced.frames, synced.dropped) == (10, 1)
    torch.testing.assert_close(bmuf.theta, before)
    bmuf.on_block_start([10])
    assert torch.isfinite(flat.parameters(model)).all()


def test_flat_copy_leaves_no_view_behind() -> None:
    model = nn.Linear(4, 3)
    buffer = torch.zeros(15)
    flat.unflatten_into(buffer, model.parameters())
    buffer.fill_(7)
    assert flat.parameters(model).abs().sum() == 0


def test_a_block_without_frames_changes_nothing() -> None:
    """As where none of its utterances is selected: neither the model nor the moments."""
    model, optimiser, bmuf = make_bmuf(eta=0.5)
    train_block(model, optimiser, bmuf, 1)
    before = [bmuf.theta.clone(), bmuf.delta.clone(), *(each.clone() for each in moments_of(optimiser))]
    assert bmuf.on_block_start([]) == 0
    assert bmuf.on_block_end(0, 0).dropped == 0
    after = [bmuf.theta, bmuf.delta, *moments_of(optimiser)]
    assert len(after) > 2
    assert all(torch.equal(*each) for each in zip(before, after, strict=True))
