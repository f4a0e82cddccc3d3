"""How gates are sampled and annealed."""

import pytest
import torch

from ssl_asr.models.transformer.gates import Annealed, annealed, parts_of, sampled
from ssl_asr.recipe import Gating


def test_annealing_is_a_function_of_the_place() -> None:
    gating = Gating(begin=0.5, end=0.9, beta=(1.0, 3.0))
    for place in (0.0, 0.5):
        assert annealed(gating, place) == Annealed(0.0, 1.0, 0.0)
    half = annealed(gating, 0.7)
    assert (half.beta, half.temperature, half.contribution) == pytest.approx((2.0, 0.500005, 0.5))
    for place in (0.9, 1.0):
        end = annealed(gating, place)
        assert (end.beta, end.temperature, end.contribution) == pytest.approx((3.0, 1e-5, 1.0))


def test_samples_begin_as_probabilities_and_end_as_draws_of_them() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([-1.0, 0.5, 2.0]).expand(20_000, 3)
    keep, log_keep = sampled(logits, Annealed(0.0, 1.0, 0.0))
    torch.testing.assert_close(keep, logits.sigmoid())
    torch.testing.assert_close(log_keep, logits.sigmoid().log())
    drawn, log_drawn = sampled(logits, Annealed(1.0, 1e-5, 1.0))
    assert float(((drawn > 0) & (drawn < 1)).float().mean()) < 1e-3
    assert bool(log_drawn.isfinite().all())
    torch.testing.assert_close(drawn.mean(0), logits[0].sigmoid(), atol=0.015, rtol=0)
    torch.manual_seed(0)
    assert torch.equal(sampled(logits, Annealed(1.0, 1e-5, 1.0))[0], drawn)


def test_gates_lie_side_by_side() -> None:
    gates = torch.arange(7)
    parts = parts_of(Gating(feed_forward=True), 3)
    split = parts.split(gates)
    assert [None if each is None else each.tolist() for each in (split.feed_forward, split.queries, split.keys)] == [
        0,
        [1, 2, 3],
        [4, 5, 6],
    ]
    keys = parts_of(Gating(queries=False), 3)
    assert (keys.count, keys.keys) == (3, slice(0, 3))
    assert keys.split(gates[:3]).queries is None
    assert parts_of(None, 3).count == 0
