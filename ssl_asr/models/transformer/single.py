"""One layer on one frame of one stream, running only what is kept: a branch for each module.

Heads that are on, and stand side by side, are computed together, from views of the weights: no weight is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as cached
from itertools import pairwise

import torch
from torch.nn.functional import linear

from ssl_asr.models.transformer.block import Block
from ssl_asr.models.transformer.cache import EMPTY, Cache, packed, with_place
from ssl_asr.models.transformer.gates import NEVER, Parts

Run = tuple[int, int]  # heads from the first up to the second
TIDY = 16  # frames from one removal of empty places to the next: it costs more than some empty places do


@dataclass(frozen=True)
class Moment:
    """The frame's position in its utterance, and how attention looks back from it; slopes are [heads, 1, 1]."""

    position: int
    slopes_h11: torch.Tensor
    left_context: int | None

    @property
    def oldest(self) -> int:
        """The first frame that is seen."""
        return 0 if self.left_context is None else max(0, self.position - self.left_context)


@dataclass(frozen=True)
class FrameGates:
    """What one layer runs for the frame; `positions` [heads, 1, 1] are EMPTY for heads whose key is off."""

    feed_forward: bool
    queries: Sequence[Run]
    keys: Sequence[Run]
    positions_h11: torch.Tensor


def frame_gates(moment: Moment, parts: Parts, keep_lg: torch.Tensor) -> list[FrameGates]:
    """By layer, of gates as bools."""
    heads = len(moment.slopes_h11)
    if parts.keys is None:
        positions = torch.full((len(keep_lg), heads), moment.position, device=keep_lg.device)
    else:
        positions = torch.where(keep_lg[:, parts.keys], moment.position, EMPTY)
    return [
        FrameGates(
            feed_forward=parts.feed_forward is None or flags[parts.feed_forward][0],
            queries=_runs((True,) * heads if parts.queries is None else tuple(flags[parts.queries])),
            keys=_runs((True,) * heads if parts.keys is None else tuple(flags[parts.keys])),
            positions_h11=positions_h11,
        )
        for flags, positions_h11 in zip(keep_lg.tolist(), positions[..., None, None].unbind(0), strict=True)
    ]


def run_frame(
    moment: Moment, block: Block, hidden_1d: torch.Tensor, keep: FrameGates, cache: Cache
) -> tuple[torch.Tensor, Cache]:
    """The output [1, width] and the cache after, which may be in the memory of `cache`, behind its end."""
    weights, shape = block.weights, hidden_1d.shape[1:]
    if keep.keys or keep.queries:
        normed_1d = torch.layer_norm(hidden_1d, shape, weights.attention_norm, weights.attention_norm_bias)
        if keep.keys:
            cache = _appended(block, normed_1d, keep, cache)
        if keep.queries:
            hidden_1d = _attended(moment, block, hidden_1d, normed_1d, keep.queries, cache)
    if keep.feed_forward:
        normed_1d = torch.layer_norm(hidden_1d, shape, weights.feed_forward_norm, weights.feed_forward_norm_bias)
        risen_1f = linear(normed_1d, weights.rise, weights.rise_bias).relu_()
        hidden_1d = linear(risen_1f, weights.fall, weights.fall_bias).add_(hidden_1d)
    if moment.position % TIDY == 0:
        cache = packed(cache, cache.positions >= moment.oldest)
    return hidden_1d, cache


@cached
def _runs(flags: tuple[bool, ...]) -> list[Run]:
    """The heads that are on, as stretches without a gap."""
    edges = [place for place, pair in enumerate(pairwise((False, *flags, False))) if pair[0] != pair[1]]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _appended(block: Block, normed_1d: torch.Tensor, keep: FrameGates, cache: Cache) -> Cache:
    """With the frame's keys and values of the kept heads; the others have an empty place."""
    weights, head = block.weights, block.head
    cache = with_place(cache, keep.positions_h11)
    place_hd = cache.keys_values.select(2, cache.count - 1).select(1, 0)
    for begin, end in keep.keys:
        rows = slice(2 * begin * head, 2 * end * head)
        found = linear(normed_1d, weights.keys_values[rows], weights.keys_values_bias[rows])
        place_hd[2 * begin : 2 * end] = found.view(-1, head)
    return cache


def _attended(
    moment: Moment,
    block: Block,
    hidden_1d: torch.Tensor,
    normed_1d: torch.Tensor,
    queries: Sequence[Run],
    cache: Cache,
) -> torch.Tensor:
    """With what these heads' queries find added."""
    weights, head = block.weights, block.head
    unseen_h1c = cache.positions < moment.oldest
    bias_h1c = ((cache.positions - moment.position) * moment.slopes_h11).masked_fill_(unseen_h1c, NEVER)
    held_hcd = cache.keys_values[:, 0, : cache.count]
    for begin, end in queries:
        span = slice(begin * head, end * head)
        query_1d = linear(normed_1d, weights.queries[span], weights.queries_bias[span])
        keys_hdc = held_hcd[2 * begin : 2 * end : 2].transpose(1, 2)
        query_h1d = query_1d.view(end - begin, 1, head)
        shares = torch.baddbmm(bias_h1c[begin:end], query_h1d, keys_hdc, alpha=head**-0.5).softmax(-1)
        if moment.oldest:  # else what is unseen is empty, with a value of zero
            shares.masked_fill_(unseen_h1c[begin:end], 0.0)
        heard_1d = torch.bmm(shares, held_hcd[2 * begin + 1 : 2 * end : 2]).view(1, -1)
        hidden_1d = torch.addmm(hidden_1d, heard_1d, weights.out[span])
    return hidden_1d
