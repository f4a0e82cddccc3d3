"""Sparse soft cross-entropy against the dense one, and at the edges where naive forms break."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from ssl_asr.training.objectives.cross_entropy import hard_cross_entropy
from ssl_asr.training.objectives.soft_cross_entropy import soft_cross_entropy, softened

FRAMES, SENONES = 11, 40


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((FRAMES, SENONES))).requires_grad_()


def test_all_senones_kept_equals_dense_cross_entropy(logits: torch.Tensor) -> None:
    teacher = torch.from_numpy(np.random.default_rng(1).standard_normal((FRAMES, SENONES)) * 3)
    order = teacher.argsort(1, descending=True)
    posteriors = teacher.softmax(1)
    sparse = soft_cross_entropy(logits, order, posteriors.gather(1, order))
    dense = -(posteriors * functional.log_softmax(logits, 1)).sum(1).mean()
    torch.testing.assert_close(sparse, dense)
    (sparse_gradient,) = torch.autograd.grad(sparse, logits, retain_graph=True)
    (dense_gradient,) = torch.autograd.grad(dense, logits)
    torch.testing.assert_close(sparse_gradient, dense_gradient)


def test_one_kept_senone_equals_hard_cross_entropy(logits: torch.Tensor) -> None:
    labels = torch.arange(FRAMES) % SENONES
    soft = soft_cross_entropy(logits, labels[:, None], torch.ones(FRAMES, 1, dtype=torch.float64))
    torch.testing.assert_close(soft, hard_cross_entropy(logits, labels))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_softened_posteriors_are_the_softmax_of_the_kept_logits_over_the_temperature(temperature: float) -> None:
    kept = torch.from_numpy(np.random.default_rng(3).standard_normal((FRAMES, 20)) * 5)
    kept[::2, 12:] = -torch.inf  # entries that the codec has dropped
    found = softened(kept.softmax(1), temperature)
    torch.testing.assert_close(found, (kept / temperature).softmax(1))


@pytest.mark.parametrize("kept", [1, 4, 9])
def test_gradient_is_that_of_the_loss_where_posteriors_do_not_add_up_to_one(kept: int) -> None:
    draw = np.random.default_rng(2)
    logits = torch.from_numpy(draw.standard_normal((3, 9))).requires_grad_()
    senones = torch.from_numpy(np.stack([draw.permutation(9)[:kept] for _ in logits]))
    posteriors = torch.from_numpy(draw.uniform(0, 0.2, (3, kept)))
    assert torch.autograd.gradcheck(soft_cross_entropy, (logits, senones, posteriors))


def test_gradient_is_finite_where_the_student_is_nearly_certain() -> None:
    logits = torch.full((1, SENONES), -30.0)
    logits[0, :20] = 30.0
    logits.requires_grad_()
    kept = torch.arange(20)[None]
    soft_cross_entropy(logits, kept, torch.full((1, 20), 0.05)).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
