"""One layer on a chunk of a batch, running only what is kept: rows of frames are gathered for each module.

Products may have fewer bits than the rows, under autocast; the sums have those of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from ssl_asr.models.transformer.block import Block
from ssl_asr.models.transformer.cache import EMPTY, Cache, joined, packed
from ssl_asr.models.transformer.gates import NEVER, ByModule


@dataclass(frozen=True)
class Place:
    """Where a chunk stands: `positions` [B, T] of its frames in their utterances, EMPTY for padding."""

    positions_bt: torch.Tensor
    ends_b: torch.Tensor
    slopes_h: torch.Tensor
    left_context: int | None

    @property
    def inside_bt(self) -> torch.Tensor:
        return self.positions_bt >= 0


def place_of(
    begins_b: torch.Tensor, lengths_b: torch.Tensor, longest: int, slopes_h: torch.Tensor, left_context: int | None
) -> Place:
    """Of a chunk whose rows begin at `begins_b`; all but `lengths_b` on the network's device."""
    steps_t, lengths_b = torch.arange(longest, device=begins_b.device), lengths_b.to(begins_b.device)
    positions_bt = (begins_b[:, None] + steps_t).where(steps_t < lengths_b[:, None], EMPTY)
    return Place(positions_bt, begins_b + lengths_b, slopes_h, left_context)


def run_chunk(
    place: Place, block: Block, hidden_btd: torch.Tensor, keep: ByModule[torch.Tensor], cache: Cache
) -> tuple[torch.Tensor, Cache]:
    """Outputs [B, T, width] and the cache after. `keep`, as bools: feed_forward [B, T], the others [B, T, heads]."""
    rows_nd = hidden_btd.flatten(0, 1)
    normed_nd = block.attention_norm(rows_nd)
    everywhere_hbt = place.inside_bt.expand(block.heads, -1, -1)
    keys_hbt = everywhere_hbt if keep.keys is None else everywhere_hbt & keep.keys.permute(2, 0, 1)
    queries_hbt = everywhere_hbt if keep.queries is None else everywhere_hbt & keep.queries.permute(2, 0, 1)
    cache = joined(cache, *_keys_values(place, block, normed_nd, keys_hbt))
    cache = packed(cache, cache.positions >= 0)
    rows_nd = rows_nd + _attention(place, block, normed_nd, queries_hbt, cache)
    kept_bt = place.inside_bt if keep.feed_forward is None else place.inside_bt & keep.feed_forward
    kept_n = kept_bt.flatten().nonzero().squeeze(1)
    rows_nd = rows_nd.index_add(0, kept_n, block.feed_forward(rows_nd[kept_n]).to(rows_nd.dtype))
    return rows_nd.view_as(hidden_btd), _still_seen(place, cache)


def _keys_values(
    place: Place, block: Block, normed_nd: torch.Tensor, keys_hbt: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the kept frames, with their positions; the others have none."""
    found = normed_nd.new_zeros(2 * block.heads, len(normed_nd), block.head)
    for number, kept_bt in enumerate(keys_hbt):
        rows, span = kept_bt.flatten().nonzero().squeeze(1), slice(2 * number, 2 * number + 2)
        weights = slice(span.start * block.head, span.stop * block.head)
        both = functional.linear(normed_nd[rows], block.keys_values.weight[weights], block.keys_values.bias[weights])
        found[span, rows] = both.to(found.dtype).unflatten(1, (2, block.head)).transpose(0, 1)
    return found.unflatten(1, place.positions_bt.shape), place.positions_bt.where(keys_hbt, EMPTY)


def _attention(
    place: Place, block: Block, normed_nd: torch.Tensor, queries_hbt: torch.Tensor, cache: Cache
) -> torch.Tensor:
    """What attention adds to the rows; the kept queries of each head and utterance stand side by side."""
    count = int(queries_hbt.sum(2).max())
    ranks_hbt = queries_hbt.cumsum(2) - 1
    queries = normed_nd.new_zeros(*queries_hbt.shape[:2], count, block.head)
    positions = place.positions_bt.new_full(queries.shape[:3], EMPTY)
    slots = []
    for number, kept_bt in enumerate(queries_hbt):
        utterance, frame = kept_bt.nonzero(as_tuple=True)
        slot, span = ranks_hbt[number, utterance, frame], slice(number * block.head, (number + 1) * block.head)
        rows = utterance * kept_bt.shape[1] + frame
        found = functional.linear(normed_nd[rows], block.queries.weight[span], block.queries.bias[span])
        queries[number, utterance, slot] = found.to(queries.dtype)
        positions[number, utterance, slot] = place.positions_bt[utterance, frame]
        slots.append((rows, utterance, slot, span))
    heard = _heard(place, queries, positions, cache)
    added = torch.zeros_like(normed_nd)
    for number, (rows, utterance, slot, span) in enumerate(slots):
        mine = heard[number, utterance, slot] @ block.out[span]
        added = added.index_add(0, rows, mine.to(added.dtype))
    return added


def _heard(place: Place, queries_hbqc: torch.Tensor, positions_hbq: torch.Tensor, cache: Cache) -> torch.Tensor:
    """The attended values [heads, B, Q, head]; zero where a query sees no key."""
    distances = positions_hbq[..., None] - cache.positions[:, :, None]
    seen = (distances >= 0) & (cache.positions[:, :, None] >= 0)
    if place.left_context is not None:
        seen &= distances <= place.left_context
    logits = queries_hbqc @ cache.held[0::2].transpose(2, 3) * queries_hbqc.shape[3] ** -0.5
    logits = logits - place.slopes_h[:, None, None, None] * distances
    return (logits.where(seen, NEVER).softmax(-1) * seen) @ cache.held[1::2]


def _still_seen(place: Place, cache: Cache) -> Cache:
    """Without what no later query sees."""
    if place.left_context is None:
        return cache
    oldest_b = (place.ends_b - place.left_context).clamp(min=0)
    return packed(cache, cache.positions >= oldest_b[:, None])
