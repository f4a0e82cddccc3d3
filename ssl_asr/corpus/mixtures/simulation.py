"""Conversations of two talkers simulated from single utterances, with exact times of the turns.

As for the separator-transducer-segmenter (Sklyar et al. 2022): utterances of random talkers, some overlapping, at
different levels, in a room. Every random choice depends on the seed and on the ids of the utterances alone: equal
utterances give equal mixtures in whatever order they come, on whichever worker. Give it utterances of several
speakers: turns of one speaker never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.augment.rooms import impulse_responses, reverberate
from ssl_asr.corpus.mixtures.timeline import Speech, draw_turns
from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.corpus.seeding import digest, generator
from ssl_asr.recipe import Mixtures

Waveform = npt.NDArray[np.float32]


class Named(Protocol):
    """What has the id of an utterance."""

    @property
    def id(self) -> str: ...


NamedT = TypeVar("NamedT", bound=Named)


@dataclass(frozen=True)
class Mixture:
    """A conversation: float32 [samples], from the start of its first turn to the end of its last; turns by start.

    Samples are not clipped: their sum may exceed 1. `id` is equal for equal utterances and seed.
    """

    id: str
    samples: Waveform
    turns: tuple[Turn, ...]


def mixture_of(group: Sequence[Speech], mixtures: Mixtures, *, sample_rate: int, seed: int) -> Mixture | None:
    """The utterances as turns in this order; None where it is longer than `mixtures.longest_seconds`."""
    names = [each.id for each in group]
    rng = generator(seed, "mixture", *names)
    turns = draw_turns(group, mixtures, sample_rate=sample_rate, rng=rng)
    if max(turn.end for turn in turns) > mixtures.longest_seconds * sample_rate:
        return None
    waveforms = as_heard(group, mixtures, sample_rate=sample_rate, rng=rng)
    return Mixture(f"mixture-{digest(seed, 'mixture', *names):016x}", added_up(turns, waveforms), turns)


def grouped(speech: Sequence[NamedT], turns: tuple[int, int], seed: int) -> Iterator[list[NamedT]]:
    """The utterances in random order, cut into groups of so many turns: the least and the most.

    Their ids alone decide, so audio need not be read for it.
    """
    ordered = sorted(speech, key=lambda each: (digest(seed, "order of turns", each.id), each.id))
    at = 0
    while len(ordered) - at >= turns[0]:
        count = int(generator(seed, "number of turns", ordered[at].id).integers(turns[0], turns[1] + 1))
        # The last group may have fewer turns than were drawn for it.
        yield ordered[at : at + count]
        at += count


def as_heard(
    group: Sequence[Speech], mixtures: Mixtures, *, sample_rate: int, rng: np.random.Generator
) -> list[Waveform]:
    """Each utterance at its level and, in a room, with its reverberation, which goes on after its last sample.

    All talkers of a mixture are in one room with one microphone, each speaker at one place. Levels are those of the
    utterances without the room.
    """
    decibels = np.append(0.0, rng.uniform(-mixtures.level_db, mixtures.level_db, len(group) - 1))
    heard = [_at_level(each.samples, group[0].samples, level) for each, level in zip(group, decibels, strict=True)]
    if rng.random() >= mixtures.room_share:
        return heard
    speakers = list(dict.fromkeys(each.speaker for each in group))
    responses = dict(zip(speakers, impulse_responses(rng, sample_rate, len(speakers)), strict=True))
    return [_in_room(waveform, responses[each.speaker]) for each, waveform in zip(group, heard, strict=True)]


def added_up(turns: Sequence[Turn], waveforms: Sequence[Waveform]) -> Waveform:
    """The sum of the turns' waveforms, each from its start on, cut at the end of the last turn."""
    total = np.zeros(max(turn.end for turn in turns), np.float32)
    for turn, waveform in zip(turns, waveforms, strict=True):
        part = waveform[: len(total) - turn.start]
        total[turn.start : turn.start + len(part)] += part
    return total


def _at_level(samples: Waveform, reference: Waveform, decibels: float) -> Waveform:
    """With a mean power of `decibels` above the reference; as it is if either is silent."""
    mine, other = (float(np.mean(np.square(each, dtype=np.float64))) for each in (samples, reference))
    if mine == 0.0 or other == 0.0:
        return samples
    return samples * np.float32(np.sqrt(other / mine * 10 ** (decibels / 10)))


def _in_room(samples: Waveform, response: Waveform) -> Waveform:
    return reverberate(np.pad(samples, (0, len(response) - 1)), response)
