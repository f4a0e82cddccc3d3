"""ORC-WER: word errors of several output channels, with each reference utterance on the channel that suits it best.

The optimal reference combination word error rate (Sklyar et al. 2021; von Neumann et al. 2023, MeetEval): the
utterances of the reference are distributed over the channels, each of them whole and all in the order of their start,
so that the sum of the channels' edits is least. It does not ask which talker said what.

One dynamic programme finds it, a Levenshtein distance of several dimensions: its state is how many words of each
channel were used so far. With two channels it takes (words of the reference) x (words of channel 1) x (words of
channel 2) x 2 steps, and memory for (utterances) x (words of channel 1) x (words of channel 2) numbers. So it is
meant for groups of utterances, not for hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import kaldialign
import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.scoring import Edits

Words = Sequence[str]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Combination:
    """The least edits, and the channel, from 0, of each reference utterance; of equally good channels the first."""

    edits: Edits
    channels: tuple[int, ...]


def best_combination(references: Sequence[Words], channels: Sequence[Words]) -> Combination:
    """`references` are the words of the utterances by start, `channels` the recognised words of each channel.

    Insertion, deletion and substitution cost 1 each, as in MeetEval. ValueError without a channel.
    """
    if not channels:
        raise ValueError("a reference can't be scored without a channel; give an empty one for one without words")
    costs = _costs(references, channels)
    chosen = _trace_back(costs, references, channels)
    edits = Edits()
    for number, hypothesis in enumerate(channels):
        said = [words for words, channel in zip(references, chosen, strict=True) if channel == number]
        edits += _edits([word for words in said for word in words], hypothesis)
    assert edits.errors == costs[-1].flat[-1], "the combination has the edits that were found to be least"
    return Combination(edits, chosen)


def _costs(references: Sequence[Words], channels: Sequence[Words]) -> list[Int32]:
    """After 0, 1, ... utterances: the least edits by the words of each channel used [words + 1 of each channel]."""
    costs = [np.indices([len(words) + 1 for words in channels], np.int32).sum(0, dtype=np.int32)]
    for words in references:
        said = [_said(costs[-1], words, hypothesis, axis) for axis, hypothesis in enumerate(channels)]
        costs.append(np.minimum.reduce(said))
    return costs


def _said(cost: Int32, words: Words, hypothesis: Words, axis: int) -> Int32:
    """The least edits after `words` are said on the channel of this axis, from those before."""
    row = np.moveaxis(cost, axis, 0)
    shape = (-1,) + (1,) * (row.ndim - 1)
    inserted = np.arange(len(hypothesis) + 1, dtype=np.int32).reshape(shape)
    for word in words:
        differs = np.array([word != other for other in hypothesis], np.int32).reshape(shape)
        best = row + 1  # a deletion
        best[1:] = np.minimum(best[1:], row[:-1] + differs)
        row = np.minimum.accumulate(best - inserted, axis=0) + inserted
    return np.moveaxis(row, 0, axis)


def _trace_back(costs: Sequence[Int32], references: Sequence[Words], channels: Sequence[Words]) -> tuple[int, ...]:
    used, chosen = [len(words) for words in channels], list[int]()
    for before, after, words in zip(costs[-2::-1], costs[:0:-1], references[::-1], strict=True):
        channel, used = _step_back(before, int(after[tuple(used)]), words, channels, used)
        chosen.append(channel)
    return tuple(chosen[::-1])


def _step_back(
    before: Int32, cost: int, words: Words, channels: Sequence[Words], used: list[int]
) -> tuple[int, list[int]]:
    """The channel of the utterance, and the words of each channel used before it."""
    for channel, hypothesis in enumerate(channels):
        place = tuple(slice(count + 1) if axis == channel else count for axis, count in enumerate(used))
        edits = _edits_to_endings(words, hypothesis[: used[channel]])
        found = np.flatnonzero(before[place] + edits == cost)
        if len(found):
            return channel, [int(found[-1]) if axis == channel else count for axis, count in enumerate(used)]
    raise AssertionError("a least cost comes from one of the channels")


def _edits_to_endings(words: Words, hypothesis: Words) -> Int32:
    """By i, of [words + 1 of the hypothesis]: the edits from `words` to the hypothesis from its word i on."""
    nothing_said = np.arange(len(hypothesis) + 1, dtype=np.int32)
    return _said(nothing_said, words[::-1], hypothesis[::-1], 0)[::-1]


def _edits(reference: Words, hypothesis: Words) -> Edits:
    counts = kaldialign.edit_distance(list(reference), list(hypothesis))
    return Edits(len(reference), counts["ins"], counts["del"], counts["sub"])
