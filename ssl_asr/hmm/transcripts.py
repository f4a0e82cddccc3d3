"""The graph of states that an utterance may pass through, given its text: words, pronunciations, silences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt

from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.lexicon_fst import lexicon_fst
from ssl_asr.lang.phones import SILENCE, SILENCE_ID

# Three states a phone without skips: at 10 ms no phone is shorter than 30 ms, the frame of the networks.
STATES_PER_PHONE = 3
_STAY = -math.log(0.9)  # cost of the self-loop; it hardly matters beside the frame scores


def transcript_graph(words: Sequence[str], lexicon: Lexicon) -> Any:
    """kaldifst.StdVectorFst of all state sequences of `words`: input label s + 1 of state s, output labels of phones.

    State s is that of phone s // 3. KeyError for a word outside the lexicon.
    """
    ids = {word: number for number, word in enumerate(sorted(set(words)), 1)}
    lexicon_, _ = lexicon_fst(lexicon.entries(ids), ids, lexicon.phones, disambiguate=False)
    kaldifst.arcsort(lexicon_, "olabel")
    phones = _vector(kaldifst.compose(lexicon_, kaldifst.make_linear_acceptor([ids[word] for word in words])))
    kaldifst.arcsort(phones, "ilabel")
    return _vector(kaldifst.compose(_topology(len(lexicon.phones)), phones))


@cache
def _topology(num_phones: int) -> Any:
    """Transducer from states to phones, of which there are so many."""
    fst = kaldifst.StdVectorFst()
    between = fst.add_state()
    fst.start = between
    fst.set_final(between, 0.0)
    for phone in range(num_phones):
        state = between
        for place in range(STATES_PER_PHONE):
            following = fst.add_state()
            label = phone * STATES_PER_PHONE + place + 1
            fst.add_arc(state, kaldifst.StdArc(label, phone + 1 if place == 0 else 0, 0.0, following))
            fst.add_arc(following, kaldifst.StdArc(label, 0, _STAY, following))
            state = following
        fst.add_arc(state, kaldifst.StdArc(0, 0, 0.0, between))
    kaldifst.arcsort(fst, "olabel")
    return fst


def accepts(words: Sequence[str], lexicon: Lexicon, phones: bytes) -> bool:
    """Whether the graph of `words` has a path of these phones, one byte each: silence is optional around each word.

    KeyError for a word outside the lexicon.
    """
    numbers = lexicon.phones.ids
    silence = bytes([SILENCE_ID])
    ends = {0, len(silence) if phones.startswith(silence) else 0}
    for word in words:
        said = [bytes(map(numbers.__getitem__, each)) for each in lexicon.pronunciations[word]]
        spoken = {begin + len(each) for begin in ends for each in said if phones.startswith(each, begin)}
        ends = spoken | {end + 1 for end in spoken if phones.startswith(silence, end)}
    return len(phones) in ends


def usual_path(words: Sequence[str], lexicon: Lexicon) -> npt.NDArray[np.int32]:
    """States of the first pronunciation of each word, between two silences."""
    phones = [phone for word in words for phone in lexicon.pronunciations[word][0]]
    numbers = np.array([lexicon.phones.ids[phone] for phone in (SILENCE, *phones, SILENCE)], np.int32)
    states = numbers[:, None] * STATES_PER_PHONE + np.arange(STATES_PER_PHONE)
    return states.reshape(-1).astype(np.int32)


def least_frames(words: Sequence[str], lexicon: Lexicon) -> int:
    """10 ms frames that the shortest pronunciation of `words` takes."""
    return STATES_PER_PHONE * sum(min(map(len, lexicon.pronunciations[word])) for word in words)


def _vector(fst: Any) -> Any:
    return fst if isinstance(fst, kaldifst.StdVectorFst) else kaldifst.StdVectorFst(fst)
