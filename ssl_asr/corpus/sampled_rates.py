"""The sampling rates of audio that is not opened, because its length is believed: told from a few recordings."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from ssl_asr.corpus.audio_places import is_row
from ssl_asr.store.utterance import Utterance

SAMPLED = 32  # utterances of a piece: what is a tenth of its speech is missed once in 29 times
# Of a Parquet file the first: a row is decoded with those before it.
SAMPLED_ROWS = 8


def a_few(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Some of a piece's utterances, in their order: the same of the same list, whoever reads it and how often."""
    if utterances and is_row(utterances[0].audio):
        return list(utterances[:SAMPLED_ROWS])
    count = len(utterances)
    return [utterances[place] for place in sorted(random.Random(count).sample(range(count), min(count, SAMPLED)))]


def estimated_rates(
    utterances: Sequence[Utterance], few: Sequence[Utterance], rates: Sequence[int | None]
) -> dict[str, float]:
    """Seconds of `utterances` by sampling rate in Hz, in the shares that `few` of them have.

    `rates` are those of `few`; None where the audio can't be opened, which the front end is to tell. Empty where none
    is known.
    """
    found = defaultdict[str, float](float)
    for each, rate in zip(few, rates, strict=True):
        if rate is not None:
            found[str(rate)] += each.duration
    known = sum(found.values())
    everything = sum(each.duration for each in utterances)
    return {rate: everything * seconds / known for rate, seconds in found.items()}
