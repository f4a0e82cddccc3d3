"""The n-gram of word pieces: ARPA's back-off, written out naively, says the same."""

from __future__ import annotations

import io
import math
from itertools import product

import numpy as np
import pytest

from ssl_asr.lang.piece_ngram import SENTENCE_BEGIN, PieceNgram, write_piece_arpa
from ssl_asr.lang.word_pieces import WordPieces, train_word_pieces

TEXT = ["a cat sat", "two cats sat", "two cats sat", "a cat sat to two cats", "cats sat to a cat", "a", "to a cat"]


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    return train_word_pieces(TEXT, 12)


@pytest.fixture(scope="module", params=[2, 3])
def arpa(request: pytest.FixtureRequest, pieces: WordPieces) -> str:
    return estimated(TEXT, pieces, request.param)


def estimated(sentences: list[str], pieces: WordPieces, order: int) -> str:
    file = io.StringIO()
    write_piece_arpa(sentences, pieces, order, file)
    return file.getvalue()


def entries(arpa: str) -> dict[tuple[str, ...], tuple[float, float]]:
    """Log probability and back-off weight of each n-gram, in powers of ten, as the lines have them."""
    found = {}
    for block in arpa.split("-grams:\n")[1:]:
        for line in block.split("\n\n")[0].splitlines():
            fields = line.split("\t")
            found[tuple(fields[1].split(" "))] = (float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0)
    return found


def naive(known: dict[tuple[str, ...], tuple[float, float]], history: tuple[str, ...], word: str) -> float:
    """The natural logarithm of p(word | history), by the definition of back-off."""
    if (*history, word) in known:
        return math.log(10) * known[*history, word][0]
    return math.log(10) * known.get(history, (0.0, 0.0))[1] + naive(known, history[1:], word)


def named(history: tuple[int, ...]) -> tuple[str, ...]:
    return tuple("<s>" if each == SENTENCE_BEGIN else str(each) for each in history)


def test_log_probabilities_are_those_of_back_off(arpa: str, pieces: WordPieces) -> None:
    ngram, known = PieceNgram(arpa, len(pieces)), entries(arpa)
    spoken = [piece for piece in range(len(pieces)) if (str(piece),) in known]
    assert len(spoken) > 6
    histories = [(), (SENTENCE_BEGIN,), *((each,) for each in spoken)]
    if ngram.order > 2:
        histories += [*product((SENTENCE_BEGIN, *spoken), spoken)]
    for history in histories:
        wanted = [naive(known, named(history), str(piece)) for piece in spoken]
        np.testing.assert_allclose(ngram.next_logs(history)[spoken], wanted, rtol=1e-5)


def test_the_pieces_and_the_end_have_all_the_probability(arpa: str, pieces: WordPieces) -> None:
    ngram, known = PieceNgram(arpa, len(pieces)), entries(arpa)
    spoken = [piece for piece in range(len(pieces)) if (str(piece),) in known]
    for text in TEXT:
        ids = pieces.encode(text)
        for place in range(len(ids) + 1):
            history = ngram.history(ids[:place])
            end = math.exp(naive(known, named(history), "</s>"))
            assert np.exp(ngram.next_logs(history)[spoken]).sum() + end == pytest.approx(1, abs=1e-3)


def test_a_history_is_the_last_pieces_or_begins_the_sentence(arpa: str, pieces: WordPieces) -> None:
    ngram = PieceNgram(arpa, len(pieces))
    assert ngram.history(()) == (SENTENCE_BEGIN,)
    assert ngram.history((4,)) == ((4,) if ngram.order == 2 else (SENTENCE_BEGIN, 4))
    assert ngram.history((4, 5, 6)) == ((6,) if ngram.order == 2 else (5, 6))


def test_a_piece_that_no_text_has_is_as_probable_as_the_rarest(arpa: str, pieces: WordPieces) -> None:
    ngram, known = PieceNgram(arpa, len(pieces)), entries(arpa)
    unknown = [piece for piece in range(len(pieces)) if (str(piece),) not in known]
    assert unknown
    least = min(ngram.next_logs(())[[piece for piece in range(len(pieces)) if piece not in unknown]])
    assert (ngram.next_logs(())[unknown] == least).all()
    assert np.isfinite(ngram.next_logs((SENTENCE_BEGIN,))).all()


def test_a_likely_piece_is_likely(pieces: WordPieces) -> None:
    ngram = PieceNgram(estimated(TEXT, pieces, 3), len(pieces))
    two, cats = pieces.encode("two"), pieces.encode("two cats")
    after_two = ngram.next_logs(ngram.history(two))
    assert int(after_two.argmax()) == cats[len(two)]


def test_without_a_sentence_there_is_no_ngram(pieces: WordPieces) -> None:
    with pytest.raises(ValueError, match="holds no sentence"):
        estimated(["", " "], pieces, 3)
