"""Losses of speaker embeddings against loops, and their gradients against finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from ssl_asr.speakers.losses import (
    accumulated,
    angular_margin_losses,
    ge2e_losses,
    pair_losses,
    pair_weighted_mean,
    same_speaker,
    weighted_mean,
)


def units(speakers: int, utterances: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(speakers, utterances, 5, generator=generator, dtype=torch.float64), dim=2)


def double(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_ge2e_is_what_the_paper_says():
    embeddings, scale, shift = units(3, 4), double(7.0), double(-2.0)
    losses = ge2e_losses(embeddings, scale, shift)
    for j in range(3):
        for i in range(4):
            similarities = []
            for k in range(3):
                own = [embeddings[k, m] for m in range(4) if (k, m) != (j, i)]
                centroid = sum(own) / len(own)
                cosine = functional.cosine_similarity(embeddings[j, i], centroid, dim=0)
                similarities.append(float(scale * cosine + shift))
            expected = -similarities[j] + math.log(sum(map(math.exp, similarities)))
            assert float(losses[j, i]) == pytest.approx(expected)


def test_pairs_are_what_the_paper_says():
    embeddings, scale = units(3, 2), double(6.0)
    losses, flat = pair_losses(embeddings, scale), embeddings.reshape(6, 5)
    for i in range(6):
        others = [math.exp(float(scale * flat[i] @ flat[a])) for a in range(6) if a != i]
        for j in range(6):
            same = i // 2 == j // 2 and i != j
            expected = math.log(sum(others)) - float(scale * flat[i] @ flat[j]) if same else 0
            assert float(losses[i, j]) == pytest.approx(expected, abs=1e-12)
    assert int(same_speaker(3, 2, torch.device("cpu")).sum()) == 6


def on_circle(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_the_angular_margin_is_what_the_paper_says():
    margin, scale = 0.3, 8.0
    embeddings = units(3, 4).reshape(12, 5)
    centres = 3 * units(4, 1, seed=5)[:, 0]  # of no length in particular
    truth = torch.arange(12) % 4
    losses = angular_margin_losses(embeddings, centres, truth, margin, scale)
    for n in range(12):
        angles = [math.acos(float(functional.cosine_similarity(embeddings[n], each, dim=0))) for each in centres]
        own = angles[int(truth[n])]
        assert own + margin < math.pi
        angles[int(truth[n])] += margin
        logits = [scale * math.cos(angle) for angle in angles]
        expected = -scale * math.cos(own + margin) + math.log(sum(map(math.exp, logits)))
        assert float(losses[n]) == pytest.approx(expected)


def test_without_a_margin_it_is_cross_entropy_and_a_margin_makes_it_harder():
    embeddings, centres, truth = units(2, 3).reshape(6, 5), units(3, 1, seed=2)[:, 0], torch.arange(6) % 3
    plain = functional.cross_entropy(5 * embeddings @ centres.T, truth, reduction="none")
    assert torch.allclose(angular_margin_losses(embeddings, centres, truth, 0.0, 5.0), plain)
    assert (angular_margin_losses(embeddings, centres, truth, 0.2, 5.0) > plain).all()


def test_the_own_logit_falls_with_the_angle_up_to_the_opposite_of_the_centre():
    margin, degrees = 0.5, torch.linspace(0, 180, 361, dtype=torch.float64)
    angles, truth = degrees.deg2rad(), torch.zeros(361, dtype=torch.int64)
    embeddings = on_circle(*(-degrees).tolist()).requires_grad_()  # away from the other centre
    losses = angular_margin_losses(embeddings, on_circle(0, 90), truth, margin, 1.0)
    own = -angles.sin() - losses.detach().expm1().log()  # of two logits, from their softmax
    assert (own.diff() < 0).all()
    within = angles < math.pi - margin
    torch.testing.assert_close(own[within], (angles + margin).cos()[within], atol=1e-3, rtol=0)
    torch.testing.assert_close(own[~within], (angles.cos() - margin * math.sin(margin))[~within], atol=1e-6, rtol=0)
    losses.sum().backward()
    assert embeddings.grad.isfinite().all()  # also at 0 and 180 degrees, where the root has no slope


def test_gradients_are_those_of_finite_differences():
    free = torch.randn(3, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    scale, shift = double(4.0).requires_grad_(), double(-1.0).requires_grad_()

    def ge2e(free, scale, shift):
        return ge2e_losses(functional.normalize(free, dim=2), scale, shift)

    def pairs(free, scale):
        return pair_losses(functional.normalize(free, dim=2), scale)

    centres = torch.randn(4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64, requires_grad=True)

    def aam(free, centres):
        truth = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 0])
        return angular_margin_losses(functional.normalize(free.flatten(0, 1), dim=1), centres, truth, 0.2, 6.0)

    assert torch.autograd.gradcheck(aam, (free, centres))
    assert torch.autograd.gradcheck(ge2e, (free, scale, shift))
    assert torch.autograd.gradcheck(pairs, (free, scale))


def test_equal_weights_are_the_plain_mean():
    losses = pair_losses(units(4, 3), double(5.0))
    ones = torch.ones(12, dtype=torch.float64)
    plain = losses.sum() / (12 * 2)
    assert torch.isclose(pair_weighted_mean(losses, ones, 3), plain)
    assert torch.isclose(weighted_mean(accumulated(losses, 3), ones), plain)


def test_a_pair_weighs_the_mean_of_both():
    losses = pair_losses(units(2, 2), double(5.0))
    weights = torch.tensor([1.0, 3, 2, 5], dtype=torch.float64)
    expected = (4 * (losses[0, 1] + losses[1, 0]) + 7 * (losses[2, 3] + losses[3, 2])) / 8
    assert torch.isclose(pair_weighted_mean(losses, weights, 2), expected)
    # Weights of utterances alone are something else: the two directions of a pair differ.
    assert not torch.isclose(weighted_mean(accumulated(losses, 2), weights), expected)


def test_separate_speakers_have_no_loss_left():
    embeddings = torch.eye(4, dtype=torch.float64)[:, None].expand(4, 3, 4)
    assert float(ge2e_losses(embeddings, double(40.0), double(0.0)).max()) < 1e-9
    assert float(accumulated(pair_losses(embeddings, double(40.0)), 3).max()) == pytest.approx(math.log(2))
