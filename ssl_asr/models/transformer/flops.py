"""What a Transformer computes, given its gates: two FLOPs for each multiply-add of its matrix products.

torch.utils.flop_counter counts the same products. Element-wise work and normalisation count as nothing, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ssl_asr.models.transformer.gates import Parts
from ssl_asr.recipe import TransformerNetwork

Rates = tuple[float, float, float]  # of feed-forward modules, queries and keys: the share of each that is kept


@dataclass(frozen=True)
class Costs:
    """FLOPs of one frame: `fixed` is of what always runs, the input layer and the arbitrators.

    The others are of one module in one layer. A query head's are of its query and of its part of the output layer; a
    key head's of its key and value; a `cell` is one key of one head that one query attends to.
    """

    layers: int
    heads: int
    left_context: int | None
    fixed: int
    feed_forward: int
    query: int
    key: int
    cell: int


def costs_of(section: TransformerNetwork, inputs: int, *, arbitrators: bool = True) -> Costs:
    """`arbitrators` says whether those count too; `inputs` is the width of a 30 ms frame."""
    width, head = section.width, section.width // section.heads
    return Costs(
        layers=section.layers,
        heads=section.heads,
        left_context=section.left_context,
        fixed=2 * (inputs * width + (arbitrator_weights(section, inputs) if arbitrators else 0)),
        feed_forward=4 * width * section.feed_forward,
        query=4 * width * head,
        key=4 * width * head,
        cell=4 * head,
    )


def arbitrator_weights(section: TransformerNetwork, inputs: int) -> int:
    """Of the matrices of all arbitrators: the multiply-adds of a frame."""
    gating = section.gating
    if gating is None or gating.arbitrator == "random":
        return 0
    gates = gating.feed_forward + section.heads * (gating.queries + gating.keys)
    read = [inputs] if gating.levels == "single" else [inputs, section.width]
    units, matrices = gating.units, 1 if gating.arbitrator == "ff" else 4
    before = 0 if gating.arbitrator == "ff" else units  # what an LSTM's cells read of themselves
    bodies = sum(width + before + (gating.layers - 1) * (units + before) for width in read)
    return matrices * units * bodies + units * section.layers * gates


def spent(costs: Costs, parts: Parts, keep_btlg: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
    """FLOPs of each utterance [B], where its modules are kept so; by probabilities their expectation, differentiable.

    A key's gate is that of the frame whose key it is (Xie et al. 2022 print the query's). Gates of one frame, and of
    two, count as independent.
    """
    longest = keep_btlg.shape[1]
    inside_bt = torch.arange(longest, device=keep_btlg.device) < lengths_b.to(keep_btlg.device)[:, None]
    frames_b = inside_bt.sum(1)
    kept = parts.split(keep_btlg)
    all_heads = inside_bt[:, :, None, None].to(keep_btlg.dtype).expand(-1, -1, costs.layers, costs.heads)
    forward = all_heads[..., 0] if kept.feed_forward is None else kept.feed_forward * all_heads[..., 0]
    queries = all_heads if kept.queries is None else kept.queries * all_heads
    keys = all_heads if kept.keys is None else kept.keys * all_heads
    cells = (queries * _seen(keys, costs.left_context)).sum((1, 2, 3))
    modules = costs.query * queries.sum((1, 2, 3)) + costs.key * keys.sum((1, 2, 3))
    return costs.fixed * frames_b + costs.feed_forward * forward.sum((1, 2)) + modules + costs.cell * cells


def _seen(keys_btlh: torch.Tensor, left_context: int | None) -> torch.Tensor:
    """The number of kept keys that the query of each frame sees."""
    totals = keys_btlh.cumsum(1)
    if left_context is None or left_context + 1 >= keys_btlh.shape[1]:
        return totals
    return torch.cat(
        [totals[:, : left_context + 1], totals[:, left_context + 1 :] - totals[:, : -left_context - 1]], 1
    )


def expected(costs: Costs, parts: Parts, rates: Rates, lengths_b: torch.Tensor) -> torch.Tensor:
    """FLOPs of each utterance [B], float64, where gates are open with these chances. As `spent`, but at once."""
    frames_b = lengths_b.double()
    window = frames_b if costs.left_context is None else frames_b.clamp(max=costs.left_context + 1)
    cells_b = window * (window + 1) / 2 + (frames_b - window) * window
    modules = zip(rates, (parts.feed_forward, parts.queries, parts.keys), strict=True)
    forward, queries, keys = (1.0 if module is None else rate for rate, module in modules)
    layer = forward * costs.feed_forward + costs.heads * (queries * costs.query + keys * costs.key)
    cell = costs.heads * queries * keys * costs.cell
    return frames_b * (costs.fixed + costs.layers * layer) + costs.layers * cell * cells_b


def most(costs: Costs, lengths_b: torch.Tensor) -> torch.Tensor:
    """FLOPs of each utterance [B], float64, where all modules run."""
    return expected(costs, Parts(None, None, None), (1.0, 1.0, 1.0), lengths_b)


def rates_of(costs: Costs, parts: Parts, lengths_b: torch.Tensor, *, kept: Rates, flops: float) -> Rates:
    """The rates at which random gates are expected to take `flops` for all these utterances.

    They are those `kept` by learned gates, moved together towards 0 or 1: an arbitrator takes FLOPs too, and learned
    gates of a frame are not independent. All are 1 where all modules take less. ValueError where what is not gated
    takes more.
    """

    def above(place: float) -> float:
        return float(expected(costs, parts, _moved(kept, place), lengths_b).sum()) - flops

    from scipy.optimize import brentq  # here, for every training worker imports this module

    if above(0.0) > 0:
        least = above(0.0) + flops
        raise ValueError(f"what these random gates don't close takes {least:.4g} FLOPs, more than the {flops:.4g}")
    return _moved(kept, brentq(above, 0.0, 2.0) if above(2.0) > 0 else 2.0)


def _moved(rates: Rates, place: float) -> Rates:
    """All 0 at 0, as they are at 1, all 1 at 2; between, evenly."""
    forward, queries, keys = (each * min(place, 1.0) + (1 - each) * max(place - 1.0, 0.0) for each in rates)
    return forward, queries, keys


def share(costs: Costs, parts: Parts, keep_btlg: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
    """Of the FLOPs of a batch with all modules running: a scalar."""
    return spent(costs, parts, keep_btlg, lengths_b).sum() / float(most(costs, lengths_b).sum())
