"""BMUF kernels against a plain NumPy reference and the identities that every correct form keeps."""

import numpy as np
import pytest
import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training import flat
from ssl_asr.training.bmuf import Bmuf, block_momentum, block_rate, block_start, bmuf_update

DIMENSION = 7


def averages(blocks: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((blocks, DIMENSION))


def run_kernel(gradients: np.ndarray, eta: float, zeta: float, variant: str) -> torch.Tensor:
    """Feed block gradients: each worker average is start plus the block's gradient."""
    theta, delta = torch.zeros(DIMENSION, dtype=torch.float64), torch.zeros(DIMENSION, dtype=torch.float64)
    for gradient in torch.from_numpy(gradients):
        start = block_start(theta, delta, eta, variant)
        theta, delta = bmuf_update(theta, delta, start + gradient, start, eta, zeta)
    return theta


@pytest.mark.parametrize("variant", ["nesterov", "classical"])
def test_matches_numpy_reference(variant: str) -> None:
    gradients, eta, zeta = averages(20), 0.75, 1.3
    theta, delta = np.zeros(DIMENSION), np.zeros(DIMENSION)
    for gradient in gradients:
        delta = eta * delta + zeta * gradient
        theta = theta + delta
    torch.testing.assert_close(run_kernel(gradients, eta, zeta, variant), torch.from_numpy(theta))


def test_without_momentum_one_worker_is_plain_training() -> None:
    gradients = averages(10)
    result = run_kernel(gradients, eta=0.0, zeta=1.0, variant="nesterov")
    torch.testing.assert_close(result, torch.from_numpy(gradients.sum(0)))


@pytest.mark.parametrize("workers", [2, 8, 64])
def test_constant_gradient_is_applied_n_times(workers: int) -> None:
    eta = block_momentum(workers)
    zeta = block_rate(1.0, workers, eta)
    assert zeta == pytest.approx(1.0)
    gradients = np.ones((40 * workers, DIMENSION))
    moved = run_kernel(gradients, eta, zeta, "classical") - run_kernel(gradients[:-1], eta, zeta, "classical")
    torch.testing.assert_close(
        moved, torch.full((DIMENSION,), float(workers), dtype=torch.float64), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("eta", [0.0, 0.5, 0.9])
def test_block_rate_keeps_c_for_any_momentum(eta: float) -> None:
    assert block_rate(1.5, 16, eta) / (16 * (1 - eta)) == pytest.approx(1.5)


def test_stored_look_ahead_is_classical_with_a_larger_rate() -> None:
    """The printed form, theta += delta + eta delta, against classical with zeta (1 + eta)."""
    gradients, eta, zeta = averages(15), 0.8, 0.7
    theta, delta = np.zeros(DIMENSION), np.zeros(DIMENSION)
    for gradient in gradients:
        delta = eta * delta + zeta * gradient
        theta = theta + delta + eta * delta
    classical = run_kernel(gradients, eta, zeta * (1 + eta), "classical")
    torch.testing.assert_close(classical, torch.from_numpy(theta))


def make_bmuf(**settings: object) -> tuple[nn.Module, torch.optim.Optimizer, Bmuf]:
    torch.manual_seed(3)
    model = nn.Linear(4, 3)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    return model, optimiser, Bmuf(model, optimiser, Sync(**settings), workers=1)


def train_block(model: nn.Module, optimiser: torch.optim.Optimizer, bmuf: Bmuf, seed: int) -> None:
    bmuf.on_block_start(3)
    torch.manual_seed(seed)
    for _ in range(3):
        optimiser.zero_grad()
        model(torch.randn(8, 4)).square().sum().backward()
        bmuf.on_after_backward(8)
        optimiser.step()
    bmuf.on_block_end(24)


def test_one_worker_with_defaults_is_plain_adam() -> None:
    model, optimiser, bmuf = make_bmuf()
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
    bmuf.on_block_start(1)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
    synced = bmuf.on_block_end(10)
    assert (synced.frames, synced.dropped) == (10, 1)
    torch.testing.assert_close(bmuf.theta, before)
    bmuf.on_block_start(1)
    assert torch.isfinite(flat.parameters(model)).all()


def test_flat_copy_leaves_no_view_behind() -> None:
    model = nn.Linear(4, 3)
    buffer = torch.zeros(15)
    flat.unflatten_into(buffer, model.parameters())
    buffer.fill_(7)
    assert flat.parameters(model).abs().sum() == 0
