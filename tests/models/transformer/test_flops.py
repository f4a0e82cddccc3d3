"""FLOPs by formula: as torch counts them where it does, as modules are gathered, and as brute force adds them up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.models.transformer.flops import costs_of, expected, most, rates_of, share, spent
from ssl_asr.recipe import Gating
from tests.models.transformer.small import ALL, WIDTH, padded, transformer

LENGTHS = [9, 4, 13]


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    return padded([torch.randn(length, WIDTH) for length in lengths])


def counted(made: Transformer, *arguments: Any) -> dict[str, int]:
    """FLOPs that torch counts, by operation."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        made(*arguments)
    return {str(name): count for name, count in counter.get_flop_counts()["Global"].items()}


def test_the_ungated_network_costs_what_torch_counts() -> None:
    made, (frames, lengths) = transformer(), batch(9)
    costs, by_name = costs_of(made.section, WIDTH), counted(made, frames, lengths)
    cells = costs.layers * costs.heads * costs.cell
    assert by_name.pop("aten.bmm") == cells * 9 * 9  # torch multiplies the future too, and masks it
    assert sum(by_name.values()) == float(most(costs, lengths)) - cells * 9 * 10 / 2


@pytest.mark.parametrize("arbitrator", ["ff", "random"])
@pytest.mark.parametrize("levels", ["single", "dual"])
def test_what_is_gathered_is_what_the_formula_counts(arbitrator: Any, levels: Any) -> None:
    """Products with weights exactly; attention is computed on padded rows of the kept, so it is at least that."""
    made = transformer(Gating(arbitrator=arbitrator, levels=levels, units=6, **ALL), left_context=5)
    frames, lengths = batch(*LENGTHS)
    costs, keep = costs_of(made.section, WIDTH), made.computed(frames, lengths).keep.double()
    by_name = counted(made, frames, lengths)
    attended = by_name.pop("aten.bmm")
    without_cells = replace(costs, cell=0)
    padding = costs.fixed * (lengths.max() * len(lengths) - lengths.sum())
    assert sum(by_name.values()) == float(spent(without_cells, made.parts, keep, lengths).sum() + padding)
    cells = float((spent(costs, made.parts, keep, lengths) - spent(without_cells, made.parts, keep, lengths)).sum())
    assert 0 < cells <= attended


@pytest.mark.parametrize("left_context", [None, 2, 30])
def test_spent_equals_adding_up_one_by_one(left_context: int | None) -> None:
    made = transformer(Gating(arbitrator="ff", units=6, **ALL), left_context=left_context)
    costs, lengths = costs_of(made.section, WIDTH), torch.tensor(LENGTHS)
    keep = torch.rand(3, 13, costs.layers, made.parts.count, dtype=torch.float64)
    parts = made.parts.split(keep)
    assert parts.feed_forward is not None
    assert parts.queries is not None
    assert parts.keys is not None
    for row, length in enumerate(LENGTHS):
        total = float(length * costs.fixed)
        for at in range(length):
            total += float(costs.feed_forward * parts.feed_forward[row, at].sum())
            total += float(costs.query * parts.queries[row, at].sum() + costs.key * parts.keys[row, at].sum())
            first = 0 if left_context is None else max(0, at - left_context)
            seen = parts.keys[row, first : at + 1].sum(0)
            total += float(costs.cell * (parts.queries[row, at] * seen).sum())
        assert float(spent(costs, made.parts, keep, lengths)[row]) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("left_context", [None, 2, 30])
def test_all_on_is_one_and_all_off_is_what_always_runs(left_context: int | None) -> None:
    made = transformer(Gating(arbitrator="lstm", units=6, **ALL), left_context=left_context)
    costs, lengths = costs_of(made.section, WIDTH), torch.tensor(LENGTHS)
    keep = torch.ones(3, 13, costs.layers, made.parts.count)
    assert float(share(costs, made.parts, keep, lengths)) == pytest.approx(1)
    off = float(share(costs, made.parts, 0 * keep, lengths))
    assert off == pytest.approx(costs.fixed * sum(LENGTHS) / float(most(costs, lengths).sum()))
    assert 0 < off < 0.5


def test_what_is_computed_is_told_by_utterance() -> None:
    made = transformer(Gating(arbitrator="random", keep_rate=0.5, **ALL))
    frames, lengths = batch(*LENGTHS)
    told = made.computed(frames, lengths)
    for row, length in enumerate(LENGTHS):
        alone = made.computed(frames[row : row + 1, :length], torch.tensor([length]))
        assert float(alone.flops) == float(told.flops[row]) < float(told.ungated_flops[row])


@pytest.mark.parametrize("gated", [ALL, {"queries": True, "keys": False}, {"queries": False, "keys": True}])
@pytest.mark.parametrize("left_context", [None, 2])
def test_the_expectation_of_random_gates_in_one_step(gated: dict[str, bool], left_context: int | None) -> None:
    made = transformer(Gating(arbitrator="random", **gated), left_context=left_context)
    costs, lengths = costs_of(made.section, WIDTH), torch.tensor(LENGTHS)
    rates = (0.3, 0.6, 0.1)
    keep = torch.ones(3, 13, costs.layers, made.parts.count, dtype=torch.float64)
    for rate, part in zip(rates, (made.parts.feed_forward, made.parts.queries, made.parts.keys), strict=True):
        if part is not None:
            keep[..., part] = rate
    wanted = spent(costs, made.parts, keep, lengths)
    assert torch.allclose(expected(costs, made.parts, rates, lengths), wanted, rtol=1e-12)
    assert rates_of(costs, made.parts, lengths, kept=rates, flops=float(wanted.sum())) == pytest.approx(rates)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.2])
def test_random_gates_take_the_flops_of_learned_ones_at_rates_near_theirs(factor: float) -> None:
    """Whatever it is that makes FLOPs differ from what the shares alone would take."""
    made = transformer(Gating(arbitrator="random", **ALL))
    costs, lengths, kept = costs_of(made.section, WIDTH), torch.tensor(LENGTHS), (0.9, 0.5, 1.0)
    flops = factor * float(expected(costs, made.parts, kept, lengths).sum())
    found = rates_of(costs, made.parts, lengths, kept=kept, flops=flops)
    assert float(expected(costs, made.parts, found, lengths).sum()) == pytest.approx(flops)
    assert found[1] < found[0] <= found[2] <= 1
    assert (found[1] > kept[1]) == (factor > 1)


def test_no_rate_makes_random_gates_dearer_than_all_modules_or_cheaper_than_what_is_not_gated() -> None:
    made = transformer(Gating(arbitrator="random", **ALL))
    costs, lengths = costs_of(made.section, WIDTH), torch.tensor(LENGTHS)
    dearer, cheaper = 2 * float(most(costs, lengths).sum()), 0.5 * costs.fixed * sum(LENGTHS)
    assert rates_of(costs, made.parts, lengths, kept=(0.5, 0.5, 0.5), flops=dearer) == (1, 1, 1)
    with pytest.raises(ValueError, match="what these random gates don't close takes"):
        rates_of(costs, made.parts, lengths, kept=(0.5, 0.5, 0.5), flops=cheaper)


def test_an_encoder_counts_what_it_would_run() -> None:
    frames, lengths = batch(*LENGTHS)
    ungated, gated = transformer(), transformer(Gating(arbitrator="ff", units=6, **ALL))
    counted_all, ran = ungated.flops(frames, lengths), gated.computed(frames, lengths)
    assert torch.equal(counted_all.spent_b, most(costs_of(ungated.section, WIDTH), lengths))
    assert torch.equal(counted_all.whole_b, counted_all.spent_b)
    assert torch.equal(gated.flops(frames, lengths).spent_b, ran.flops)
    assert torch.equal(gated.flops(frames, lengths).whole_b, counted_all.whole_b)
    assert (ran.flops < counted_all.whole_b).all()
