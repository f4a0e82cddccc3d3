"""The path of an utterance through the triphones of its text."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.triphone_graph import triphone_graph
from ssl_asr.hmm.triphones import centres
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH

LEXICON = Lexicon.from_pairs([("see", ("S", "IY")), ("the", ("DH", "AH")), ("the", ("DH", "IY"))], ENGLISH)
# Every triphone of its own.
TABLE = np.arange(len(ENGLISH) ** 3).reshape((len(ENGLISH),) * 3)


def codes_of(phones: str) -> np.ndarray:
    padded = [0, *(ENGLISH.ids[phone] for phone in phones.split()), 0]
    return np.array([TABLE[place] for place in zip(padded, padded[1:], padded[2:], strict=False)])


def sure_of(senones: np.ndarray, size: int) -> np.ndarray:
    """Scores [T, size] that favour `senones` [T]."""
    return 50 * np.eye(size, dtype=np.float32)[senones]


@pytest.mark.parametrize("phones", ["SIL S IY DH AH SIL", "S IY DH IY", "S IY SIL DH AH", "SIL S IY SIL DH IY SIL"])
def test_silences_variants_and_times_are_found(phones):
    codes = codes_of(phones)
    path = np.repeat(codes, 1 + np.arange(len(codes)) % 3)
    graph = triphone_graph(["see", "the"], LEXICON)
    scores = np.where(path[:, None] == np.arange(TABLE.size), np.float32(50), np.float32(0))
    np.testing.assert_array_equal(graph.align(scores, TABLE), path)


def test_a_senone_of_many_triphones_leaves_the_text_to_say_which():
    table = np.where(np.arange(len(ENGLISH))[:, None] == 0, 0, 1) * np.ones_like(TABLE)  # one for all that is spoken
    path = np.repeat(codes_of("SIL S IY SIL"), [2, 1, 1, 3])
    graph = triphone_graph(["see"], LEXICON)
    found = graph.align(sure_of(table.reshape(-1)[path], 2), table)
    np.testing.assert_array_equal(centres(found, len(ENGLISH)), centres(path, len(ENGLISH)))


def test_one_frame_a_phone_is_enough_and_fewer_are_not():
    graph = triphone_graph(["see", "the"], LEXICON)
    nothing = np.zeros((4, TABLE.size), np.float32)
    assert graph.align(nothing, TABLE) is not None
    assert graph.align(nothing[:3], TABLE) is None


def test_a_phone_that_follows_itself_keeps_its_two_triphones():
    lexicon = Lexicon.from_pairs([("ss", ("S",))], ENGLISH)
    graph = triphone_graph(["ss", "ss"], lexicon)
    path = np.repeat(codes_of("S S"), [3, 2])
    scores = np.where(path[:, None] == np.arange(TABLE.size), np.float32(50), np.float32(0))
    np.testing.assert_array_equal(graph.align(scores, TABLE), path)
