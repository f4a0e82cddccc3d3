"""Sparse soft cross-entropy against the dense one, and at the edges where naive forms break."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from ssl_asr.training.objectives.cross_entropy import hard_cross_entropy
from ssl_asr.training.objectives.soft_cross_entropy import soft_cross_entropy, softened, tail_cross_entropy

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


@pytest.mark.parametrize("kept", [1, 5, SENONES - 1])
def test_a_tail_is_one_class_of_all_senones_without_an_entry(logits: torch.Tensor, kept: int) -> None:
    """Against both sides with these classes made by hand; with one senone left, it is the dense cross-entropy."""
    teacher = (torch.from_numpy(np.random.default_rng(1).standard_normal((FRAMES, SENONES))) * 3).softmax(1)
    entries, probabilities = with_tail(teacher, kept)
    loss = tail_cross_entropy(logits, entries, probabilities)
    wanted = 0.0
    for frame, (row, mine) in enumerate(zip(logits.softmax(1), teacher, strict=True)):
        ids = entries[frame][entries[frame] < SENONES]
        rest = [senone for senone in range(SENONES) if senone not in ids.tolist()]
        wanted = wanted - (mine[ids] * row[ids].log()).sum() - mine[rest].sum() * row[rest].sum().log()
    torch.testing.assert_close(loss, wanted / FRAMES)
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (by_hand,) = torch.autograd.grad(wanted / FRAMES, logits, retain_graph=True)
    torch.testing.assert_close(gradient, by_hand)
    if kept == SENONES - 1:
        torch.testing.assert_close(loss, -(teacher * functional.log_softmax(logits, 1)).sum(1).mean())


def with_tail(teacher: torch.Tensor, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Entries and probabilities of the `kept` largest and of the rest, by falling probability."""
    largest, senones = teacher.topk(kept, 1)
    probabilities = torch.cat([largest, 1 - largest.sum(1, keepdim=True)], 1)
    entries = torch.cat([senones, torch.full((len(teacher), 1), teacher.shape[1])], 1)
    probabilities, order = probabilities.sort(1, descending=True)
    return entries.gather(1, order), probabilities


def test_a_tail_is_finite_where_the_student_has_none_left() -> None:
    logits = torch.full((2, SENONES), -60.0)
    logits[:, :20] = 60.0
    logits.requires_grad_()
    entries = torch.arange(21).repeat(2, 1)
    entries[:, 20] = SENONES
    loss = tail_cross_entropy(logits, entries, torch.full((2, 21), 1 / 21))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[:, 20:] < 0).all(), "the senones without an entry are to become more probable"
