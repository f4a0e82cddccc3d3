"""Turns of a conversation, and the output channels that they belong to.

A network with N output channels recognises up to N talkers at once. Times alone decide which turn belongs to which
channel. So a network can learn the rule, and the loss is computed only N times, not once for each permutation:
deterministic assignment (Sklyar et al. 2022), in which the first channel has the turn that starts first. Later turns
have the first channel that is free when they start, as in heuristic error assignment training (Lu et al. 2021, and
icefall's recipe SURT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CHANNELS = 2


@dataclass(frozen=True)
class Turn:
    """What one talker says in one go, from sample `start` to just before sample `end`; `id` is its utterance's.

    Silence at the edges of the utterance belongs to the turn.
    """

    id: str
    speaker: str
    text: str
    start: int
    end: int


def in_order(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """By start."""
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.id)))


def assign_channels(turns: Sequence[Turn], channels: int = CHANNELS) -> tuple[int, ...]:
    """The channel of each turn, 0 to `channels` - 1: the first that is free at its start.

    The result has the order of `turns`, which may be any. ValueError where a turn finds no free channel.
    """
    # A turn may begin before sample 0, where a conversation is heard from a later frame on.
    free_from, found = [-math.inf] * channels, dict[Turn, int]()
    for turn in in_order(turns):
        free = [channel for channel in range(channels) if free_from[channel] <= turn.start]
        if not free:
            raise ValueError(
                f"the turn {turn.id} starts at sample {turn.start}, while {channels} others are spoken; leave it "
                "out, or give the network more channels"
            )
        found[turn], free_from[free[0]] = free[0], turn.end
    return tuple(found[turn] for turn in turns)


def by_channel(turns: Sequence[Turn], channels: int = CHANNELS) -> tuple[tuple[Turn, ...], ...]:
    """The turns of each channel by start; a channel may have none. ValueError as `assign_channels`."""
    ordered = in_order(turns)
    assigned = assign_channels(ordered, channels)
    return tuple(
        tuple(turn for turn, mine in zip(ordered, assigned, strict=True) if mine == channel)
        for channel in range(channels)
    )
