"""Recorded test speech of a run, for the benchmarks of recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.audio import read_audio
from ssl_asr.evaluation.inputs import references
from ssl_asr.recipe import Recipe
from ssl_asr.store.utterance import CLEAN, Utterance

Samples = npt.NDArray[np.float32]
PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds


def clips(recipe: Recipe, minutes: float) -> list[Utterance]:
    """About so many minutes of the test split's clean utterances with a text, in a random order, always the same."""
    found = [
        each for each in references(recipe, "test").values() if each.condition == CLEAN and each.text is not None
    ]
    found.sort(key=lambda each: each.id)
    chosen, seconds = list[Utterance](), 0.0
    for place in np.random.default_rng(0).permutation(len(found)):
        if seconds >= 60 * minutes:
            break
        chosen.append(found[place])
        seconds += found[place].duration
    return chosen


def audio_of(utterance: Utterance, rate: int) -> Samples:
    return read_audio(utterance.audio, utterance.offset, utterance.duration, utterance.channel, rate)


@dataclass(frozen=True, eq=False)
class Talk:
    """Clips one after another with pauses of low noise: `samples` at `rate`, and where each clip ends."""

    samples: Samples
    rate: int
    ends: tuple[int, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def talk(chosen: Sequence[Utterance], rate: int) -> Talk:
    """The same speech and pauses at any rate, up to the rounding of a sample."""
    random, parts, ends, length = np.random.default_rng(0), list[Samples](), list[int](), 0
    for each in chosen:
        pause = 1e-4 * random.standard_normal(round(random.choice(PAUSES) * rate))
        parts += [audio_of(each, rate), pause.astype(np.float32)]
        length += len(parts[-2])
        ends.append(length)
        length += len(parts[-1])
    return Talk(np.concatenate(parts), rate, tuple(ends))
