"""The adversary's weights against brute force; its step and the network's against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ssl_asr.training.data.batches import cut
from ssl_asr.training.objectives.utterance_adversary import (
    CODE_WIDTH,
    UtteranceAdversary,
    bounded_weights,
    group_codes,
    spectra,
)
from tests.training.synthetic import BINS, Synthetic, source

SHARES = {"hidden": 3, "largest_weight": 3.0, "pretrain_share": 0.25}
UTTERANCES = st.lists(st.tuples(st.floats(-60, 60), st.floats(0.25, 2000)), min_size=1, max_size=12)


def by_hand(outputs: list[float], frames: list[float], largest: float) -> list[float]:
    """As the docstring has it, utterance by utterance."""
    bound = math.log(2 * largest - 1)
    shares = [1 / (1 + math.exp(-bound * math.tanh(each / bound))) for each in outputs]
    mean = sum(f * share for f, share in zip(frames, shares, strict=True)) / sum(frames)
    return [(1 + share / mean) / 2 for share in shares]


@given(UTTERANCES, st.floats(1.01, 50))
def test_weights_are_those_of_the_formula_have_the_mean_1_and_are_bounded(
    utterances: list[tuple[float, float]], largest: float
) -> None:
    outputs, frames = (list(each) for each in zip(*utterances, strict=True))
    outputs_b, frames_b = (torch.tensor(each, dtype=torch.float64) for each in (outputs, frames))
    found_b = bounded_weights(outputs_b, frames_b, largest)
    assert found_b.tolist() == pytest.approx(by_hand(outputs, frames, largest), rel=1e-9)
    assert float((found_b * frames_b).sum() / frames_b.sum()) == pytest.approx(1)
    assert float(found_b.min()) > 0.5
    assert float(found_b.max()) <= largest * (1 + 1e-9)
    order = outputs_b.argsort()
    assert bool((found_b[order].diff() >= -1e-9).all())


def test_the_largest_weight_is_reached_by_one_among_many() -> None:
    outputs_b = torch.full((10_000,), -50.0)
    outputs_b[0] = 50.0
    assert float(bounded_weights(outputs_b, torch.ones(10_000), 4.0)[0]) == pytest.approx(4, rel=1e-2)


def small_game() -> tuple[nn.Linear, UtteranceAdversary, Callable[[], torch.Tensor]]:
    """A learner, its adversary, and the weighted mean of the learner's losses in double precision."""
    torch.manual_seed(0)
    learner, adversary = nn.Linear(4, 1).double(), UtteranceAdversary(4, **SHARES).double()
    for each in adversary.parameters():
        nn.init.normal_(each)
    known_bd, frames_b = torch.randn(5, 4, dtype=torch.float64), torch.tensor([1.0, 2.0, 5.0, 3.0, 0.5]).double()

    def loss() -> torch.Tensor:
        losses_b = (learner(known_bd).squeeze(1) - 1) ** 2
        return (frames_b * adversary(known_bd, frames_b) * losses_b).sum() / frames_b.sum()

    return learner, adversary, loss


def finite_differences(loss: Callable[[], torch.Tensor], parameter: torch.Tensor, by: float = 1e-6) -> torch.Tensor:
    found = torch.zeros_like(parameter)
    with torch.no_grad():
        flat, into = parameter.view(-1), found.view(-1)
        for place in range(len(flat)):
            before = flat[place].item()
            values = []
            for change in (by, -by):
                flat[place] = before + change
                values.append(float(loss()))
            flat[place] = before
            into[place] = (values[0] - values[1]) / (2 * by)
    return found


def test_one_backward_pass_is_descent_for_the_learner_and_ascent_for_the_adversary() -> None:
    learner, adversary, loss = small_game()
    loss().backward()
    for module, sign in ((learner, 1), (adversary, -1)):
        for parameter in module.parameters():
            wanted = sign * finite_differences(loss, parameter)
            torch.testing.assert_close(parameter.grad, wanted, rtol=1e-5, atol=1e-8)
    assert any(bool((each.grad != 0).any()) for each in adversary.parameters() if each.grad is not None)


def test_a_step_of_either_moves_the_loss_its_own_way() -> None:
    for moves, sign in ((0, -1), (1, 1)):
        *modules, loss = small_game()
        before = loss()
        before.backward()
        torch.optim.SGD(modules[moves].parameters(), 1e-3).step()
        assert sign * float((loss() - before).detach()) > 0


def test_weights_begin_equal_after_a_share_of_the_training() -> None:
    adversary = UtteranceAdversary(4, **SHARES)
    assert not adversary.is_active
    seen = []
    for progress in (0.1, 0.25, 0.26, 1.0):
        adversary.set_progress(progress)
        seen.append(adversary.is_active)
    assert seen == [False, False, True, True]
    assert adversary(torch.randn(3, 4), torch.tensor([1.0, 2.0, 3.0])).tolist() == [1, 1, 1]


def test_spectra_are_of_the_whole_utterance_whatever_the_chunk() -> None:
    examples = Synthetic(utterances=3).read("labeled", source("labeled", 1).slab(0), 0)
    mean, scale = torch.linspace(-1, 1, 3 * BINS), torch.linspace(0.5, 2, 3 * BINS)
    chunks = cut(examples, 5)
    found = spectra(chunks, mean, scale)
    assert found.shape == (len(chunks), 2 * BINS)
    assert len(chunks) > len(examples)
    for piece, row in zip(chunks, found.numpy(), strict=True):
        frames = piece.example.frames.astype(np.float64).reshape(-1, BINS)
        by_hand = (frames.mean(0) - mean.numpy()[:BINS]) * scale.numpy()[:BINS]
        assert row[:BINS] == pytest.approx(by_hand, abs=1e-4)
        assert row[BINS:] == pytest.approx(frames.std(0) * scale.numpy()[:BINS], abs=1e-4)


def test_codes_of_groups_are_fixed_apart_from_each_other_and_none_is_zero() -> None:
    names = [f"group {number}" for number in range(CODE_WIDTH // 2)]
    codes = group_codes([*names, "", names[3]])
    assert codes.shape == (len(names) + 2, CODE_WIDTH)
    assert torch.equal(codes[3], codes[-1])
    assert torch.equal(codes[-2], torch.zeros(CODE_WIDTH))
    # So many are linearly independent: each can be given an output of its own.
    assert int(torch.linalg.matrix_rank(codes[: len(names)])) == len(names)
    assert torch.equal(group_codes(["b", "a"]), group_codes(["a", "b"]).flip(0))
