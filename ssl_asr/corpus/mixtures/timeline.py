"""When the turns of a simulated conversation begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.recipe import Mixtures


@dataclass(frozen=True)
class Speech:
    """One talker's utterance with its audio: float32 [samples], at the rate of the mixtures."""

    id: str
    speaker: str
    text: str
    samples: npt.NDArray[np.float32]


def draw_turns(
    speech: Sequence[Speech], mixtures: Mixtures, *, sample_rate: int, rng: np.random.Generator
) -> tuple[Turn, ...]:
    """The utterances one after another, in their order: the first at sample 0, others after a pause or an overlap.

    At no time are more than two talkers heard, and nobody talks over themselves.
    """
    turns: list[Turn] = []
    for each in speech:
        start = _start(each, turns, mixtures, sample_rate, rng) if turns else 0
        turns.append(Turn(each.id, each.speaker, each.text, start, start + len(each.samples)))
    return tuple(turns)


def _start(
    each: Speech, before: Sequence[Turn], mixtures: Mixtures, sample_rate: int, rng: np.random.Generator
) -> int:
    # All is drawn in any case, so that a changed share moves no other random number.
    overlaps = rng.random() < mixtures.overlap_share
    share, pause = rng.uniform(0, mixtures.longest_overlap), rng.uniform(*mixtures.pause_seconds)
    last = before[-1]
    overlap = round(share * min(len(each.samples), last.end - last.start))
    # No overlap is longer than the turn that begins with it, so ends have the order of starts: the last turn ends
    # last, and the one before it is the only other that might still be spoken.
    others = [turn.end for turn in before[-2:-1]] + [turn.end for turn in before if turn.speaker == each.speaker]
    start = max([last.end - overlap, last.start + 1, *others])
    return start if overlaps and start < last.end else last.end + round(pause * sample_rate)
