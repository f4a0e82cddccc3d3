"""The search of word pieces around endpoints, with a transducer that hears just what it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.lang.pieces import BLANK, UNKNOWN, Pieces
from ssl_asr.recipe import TransducerSearch
from ssl_asr.serving.endpoints import Endpoints, SilenceRule
from ssl_asr.serving.results import Final
from ssl_asr.serving.streaming.utterances import Utterances
from ssl_asr.serving.transducers.piece_search import PieceSearch
from ssl_asr.transducer.steps import Float32, StepState

# Of each word begin there are two: a label that is said again at once is not heard.
PIECES = Pieces((BLANK, UNKNOWN, "<eot>", "▁cat", "▁a", "s", "▁cat", "▁a"), frozenset({0, 2}))
EOT, CAT, A, S, CAT_AGAIN, A_AGAIN = 2, 3, 4, 5, 6, 7
WORDS = {"a": ([A], [A_AGAIN]), "cat": ([CAT], [CAT_AGAIN]), "cats": ([CAT, S], [CAT_AGAIN, S])}
SEARCHES = [TransducerSearch(beam=beam, max_symbols=1) for beam in (1, 3)]


class Told:
    """Each frame holds the log-probabilities of its next symbol; once its best label was said, it is silence."""

    def begin(self) -> tuple[Float32, StepState]:
        return self.step([0], (np.zeros((1, 1), np.float32),))

    def step(self, labels: Sequence[int], state: StepState) -> tuple[Float32, StepState]:
        return np.array(labels, np.float32)[:, None], state

    def log_probabilities(self, encoded_j: Float32, predicted_kj: Float32) -> Float32:
        is_over = (predicted_kj == encoded_j.argmax()) & (predicted_kj != 0)
        return np.where(is_over, heard([0]), encoded_j[None])


def heard(labels: Sequence[int], sure: float = 0.9) -> Float32:
    """A frame for each label; 0 is silence."""
    frames = np.full((len(labels), len(PIECES)), (1 - sure) / (len(PIECES) - 1), np.float32)
    frames[np.arange(len(labels)), labels] = sure
    return np.log(frames)


def utterances(search: TransducerSearch, endpoints: Endpoints | None, alternatives: int = 0) -> Utterances:
    return Utterances(PieceSearch(Told(), search, PIECES), endpoints, alternatives=alternatives)


def run(found: Utterances, frames: Float32) -> list[Final]:
    finals = [final for begin in range(0, len(frames), 3) for final in found.advance(frames[begin : begin + 3])]
    return [*finals, *found.end("end")]


@pytest.mark.parametrize("search", SEARCHES)
def test_words_last_from_their_first_piece_to_their_last(search: TransducerSearch) -> None:
    (final,) = run(utterances(search, None), heard([0, A, 0, CAT, 0, S, 0, 0]))
    assert [(each.word, each.start, each.end) for each in final.words] == [("a", 0.03, 0.06), ("cats", 0.09, 0.18)]
    assert [each.confidence for each in final.words] == [0.9, 0.81]


class TwoAtOnce(Told):
    def log_probabilities(self, encoded_j: Float32, predicted_kj: Float32) -> Float32:
        """After any label but "a" it is "a"."""
        return heard([{0: CAT, CAT: A, A: 0}[int(each)] for each in predicted_kj[:, 0]])


def test_words_of_one_frame_both_last_a_frame() -> None:
    search = PieceSearch(TwoAtOnce(), TransducerSearch(beam=1, max_symbols=2), PIECES)
    search.advance(heard([0]))
    assert search.words(ends=True) == ("cat", "a")
    assert [(each.start, each.end) for each in search.times(("cat", "a"), heard([0]))] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("search", SEARCHES)
def test_silence_is_what_follows_the_last_piece(search: TransducerSearch) -> None:
    found = PieceSearch(Told(), search, PIECES)
    assert found.silence() == 0
    found.advance(heard([0, 0]))
    assert found.silence() == 2
    found.advance(heard([0, A, 0, 0, 0]))
    assert (found.silence(), found.frames, found.relative_cost()) == (3, 7, math.inf)
    found.begin()
    assert (found.silence(), found.frames, found.words(ends=True)) == (0, 0, ())


@settings(max_examples=20, deadline=None)
@given(
    pause=st.integers(17, 40),
    said=st.lists(st.sampled_from(sorted(WORDS)), max_size=6),
    search=st.sampled_from(SEARCHES),
)
def test_no_word_is_lost_or_said_twice_around_an_endpoint(
    pause: int, said: list[str], search: TransducerSearch
) -> None:
    labels = [0] * 5
    for place, word in enumerate(said):
        labels += [*WORDS[word][place % 2], *[0] * pause]
    finals = run(utterances(search, Endpoints((SilenceRule(0.5),))), heard(labels))
    assert [word for final in finals for word in final.text.split()] == said
    assert [each.start for each in finals[1:]] == [each.end for each in finals[:-1]]


@pytest.mark.parametrize("search", SEARCHES)
def test_speech_without_silence_is_cut_between_words(search: TransducerSearch) -> None:
    labels = [CAT, 0, S, 0, 0, A, 0, 0] * 20
    finals = run(utterances(search, Endpoints((), longest=1.0)), heard(labels))
    assert [each.reason for each in finals[:-1]] == ["length"] * (len(finals) - 1)
    assert len(finals) > 3
    assert " ".join(each.text for each in finals if each.words) == " ".join(["cats a"] * 20)


def test_sentences_are_added_up_by_their_text() -> None:
    """Whether a symbol was put out before "a" does not matter."""
    frames = np.log(np.full((2, len(PIECES)), 1e-7, np.float32))
    frames[0, [0, EOT]], frames[1, [0, A]] = math.log(0.5), np.log([0.2, 0.8])
    (final,) = run(utterances(TransducerSearch(beam=20, max_symbols=1), None, alternatives=5), frames)
    found = {each.text: math.exp(each.log_probability) for each in final.alternatives}
    # Each label is followed by a blank; the first frame's symbol leaves half to that, a word 0.9.
    assert found["a"] == pytest.approx((0.5 + 0.5 * 0.5) * 0.8 * 0.9, abs=1e-4)
    assert found[""] == pytest.approx((0.5 + 0.5 * 0.5) * 0.2, abs=1e-4)


def test_sentences_end_where_the_utterance_does() -> None:
    """Words behind the cut are the next utterance's."""
    finals = run(utterances(SEARCHES[1], Endpoints((), longest=1.0), alternatives=3), heard([A, 0, 0, 0, CAT, 0] * 8))
    for each in finals:
        assert each.alternatives[0].text == each.text
