"""The keys and values that a layer's heads keep for the frames to come.

Heads and utterances keep different numbers of keys, in the order of their frames, and have empty places, of position
EMPTY. `packed` leaves as few as the fullest head of the batch needs. A key whose gate is off never enters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

EMPTY = -1
ROOM = 16  # places for frames to come, made with each copy


@dataclass(frozen=True)
class Cache:
    """`keys_values` [2 x heads, B, at least C, head]: the keys of head h are row 2 h, its values row 2 h + 1.

    `positions` int64 [heads, B, C]: of which frame of its utterance each is. What is behind the first C places is
    free for the frames to come.
    """

    keys_values: torch.Tensor
    positions: torch.Tensor

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.keys_values, self.positions

    @property
    def count(self) -> int:
        """C."""
        return self.positions.shape[2]

    @property
    def held(self) -> torch.Tensor:
        """Keys and values [2 x heads, B, C, head]."""
        return self.keys_values[:, :, : self.count]


def empty_cache(heads: int, n: int, head: int, like: torch.Tensor) -> Cache:
    """Of `n` utterances, before their first frame."""
    return Cache(like.new_zeros(2 * heads, n, 0, head), like.new_zeros(heads, n, 0, dtype=torch.long))


def joined(cache: Cache, keys_values: torch.Tensor, positions: torch.Tensor) -> Cache:
    """With those of the frames that follow, [2 x heads, B, T, head] and [heads, B, T], in new memory."""
    return Cache(torch.cat([cache.held, keys_values], 2), torch.cat([cache.positions, positions], 2))


def with_place(cache: Cache, positions_hb1: torch.Tensor) -> Cache:
    """With one more place, of zeros, in the memory of `cache` while there is room."""
    keys_values = cache.keys_values
    if keys_values.shape[2] == cache.count:
        keys_values = torch.nn.functional.pad(keys_values, (0, 0, 0, ROOM))
    return Cache(keys_values, torch.cat([cache.positions, positions_hb1], 2))


def copied(cache: Cache) -> Cache:
    """In memory of its own."""
    return Cache(cache.held.clone(), cache.positions)


def packed(cache: Cache, keep_hbc: torch.Tensor) -> Cache:
    """Only the kept ones, with as little padding in front as the fullest head of the batch allows."""
    if bool(keep_hbc.all()):
        return cache
    most = int(keep_hbc.sum(2).max())
    # A stable sort of booleans puts what is kept last and leaves its order.
    order_hbc = keep_hbc.to(torch.uint8).sort(dim=2, stable=True).indices[:, :, cache.count - most :]
    kept_hbc = keep_hbc.gather(2, order_hbc)
    positions = cache.positions.gather(2, order_hbc).where(kept_hbc, EMPTY)
    order = order_hbc.repeat_interleave(2, 0)[..., None].expand(-1, -1, -1, cache.held.shape[3])
    padding = ~kept_hbc.repeat_interleave(2, 0)[..., None]
    return Cache(cache.held.gather(2, order).masked_fill(padding, 0.0), positions)
