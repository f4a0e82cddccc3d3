"""Words of hypotheses: their text, their times, and how sure the model was."""

from __future__ import annotations

import math

import pytest

from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.words import EmittedWord, emitted_words, stream_times
from tests.lang.test_word_pieces import trained


def test_words_have_times_and_confidences() -> None:
    pieces = trained()
    text = "there is nothing special about the vampire"
    ids = pieces.encode(text)
    frames = tuple(3 * place for place in range(len(ids)))
    probabilities = [0.5 + place / 100 for place in range(len(ids))]
    logs = tuple(map(math.log, probabilities))
    words = emitted_words(Hypothesis(tuple(ids), frames, logs, sum(logs), sum(logs)), pieces)
    assert " ".join(each.word for each in words) == text
    place = 0
    for each in words:
        count = len(pieces.encode(each.word))
        assert (each.first, each.last) == (frames[place], frames[place + count - 1])
        assert each.confidence == pytest.approx(math.prod(probabilities[place : place + count]))
        place += count
    assert place == len(ids)
    assert len({len(pieces.encode(each.word)) for each in words}) > 1


def test_seconds_and_symbols() -> None:
    pieces = trained()
    sot, eot = map(pieces.symbol_id, ("<sot>", "<eot>"))
    (the,) = pieces.encode("the")
    said = Hypothesis((sot, the, eot, the), (2, 5, 9, 11), (-0.1, -0.2, -0.3, -0.4), -2.0, -2.0)
    first, second = emitted_words(said, pieces)
    assert first == EmittedWord("the", 5, 5, pytest.approx(math.exp(-0.2)))
    assert (second.first, second.confidence) == (11, pytest.approx(math.exp(-0.4)))
    assert (first.start, first.end) == (0.15, 0.18)
    assert emitted_words(Hypothesis((), (), (), -1.0, -1.0), pieces) == []


def test_a_stream_puts_words_out_behind_the_look_ahead() -> None:
    words = [EmittedWord("the", 5, 5, 1.0), EmittedWord("vampire", 11, 16, 1.0)]
    assert stream_times(words, 0) == (0.18, 0.51)
    assert stream_times(words, 3) == (0.27, 0.6)
