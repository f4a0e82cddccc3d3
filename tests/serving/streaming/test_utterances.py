"""Utterances of the toy language: endpoints, and what is found around them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.decoding.decoder import Decoder, Search
from ssl_asr.decoding.word_finder import WordFinder
from ssl_asr.evaluation.confidence import Curve
from ssl_asr.serving.endpoints import Endpoints, SilenceRule
from ssl_asr.serving.results import Final
from ssl_asr.serving.streaming.graph_search import GraphSearch
from ssl_asr.serving.streaming.utterances import Utterances
from ssl_asr.serving.streaming.words import TimedWords
from tests.toy_run import Toy

CAT_SAT = "EY K AE T S AE T"
SHORT = Endpoints((SilenceRule(0.5),), longest=20)


@pytest.fixture(scope="module")
def timed_words(toy: Toy) -> TimedWords:
    return TimedWords(WordFinder(toy.graph, toy.lexicon, toy.table, beam=8.0), Curve())


def utterances(toy: Toy, words: TimedWords, endpoints: Endpoints | None, confidences: bool = True) -> Utterances:
    search = GraphSearch(Search(toy.graph, beam=30, max_active=10_000), words)
    return Utterances(search, endpoints, confidences=confidences)


def run(found: Utterances, scores: np.ndarray, block: int = 3) -> list[Final]:
    finals = []
    for begin in range(0, len(scores), block):
        finals += found.advance(scores[begin : begin + block])
    return [*finals, *found.end("end")]


def silence(toy: Toy, frames: int) -> np.ndarray:
    return toy.posteriors("SIL", frames)


def texts(finals: list[Final]) -> list[str]:
    return [each.text for each in finals if each.words]


def test_without_endpoints_the_words_are_those_of_the_decoder(toy, timed_words):
    scores = np.concatenate([silence(toy, 9), toy.posteriors(CAT_SAT), silence(toy, 60), toy.posteriors("S AY")])
    (final,) = run(utterances(toy, timed_words, None), scores)
    assert final.text.split() == Decoder(toy.graph, 30, 10_000).decode(scores)
    assert (final.number, final.start, final.reason) == (0, 0.0, "end")
    assert final.end == pytest.approx(0.03 * len(scores), abs=0.006)


def test_words_have_their_times_in_the_stream(toy, timed_words):
    pause = silence(toy, 40)
    scores = np.concatenate([silence(toy, 10), toy.posteriors(CAT_SAT), pause, toy.posteriors(CAT_SAT), pause])
    finals = [each for each in run(utterances(toy, timed_words, SHORT), scores) if each.words]
    assert texts(finals) == ["a cat sat", "a cat sat"]
    starts = [word.start for each in finals for word in each.words]
    second = 10 + 21 + 40
    expected = [0.03 * frame for frame in (10, 13, 22, second, second + 3, second + 12)]
    assert np.abs(np.array(starts) - expected).max() <= 0.06
    assert all(word.confidence is not None and word.confidence > 0.9 for each in finals for word in each.words)


def test_utterances_follow_each_other_without_a_gap(toy, timed_words):
    scores = np.concatenate([toy.posteriors(CAT_SAT), silence(toy, 70), toy.posteriors("S AY"), silence(toy, 30)])
    finals = run(utterances(toy, timed_words, SHORT), scores)
    assert [each.number for each in finals] == list(range(len(finals)))
    assert [each.start for each in finals[1:]] == [each.end for each in finals[:-1]]
    assert finals[-1].end == pytest.approx(0.03 * len(scores), abs=0.006)


@settings(max_examples=25, deadline=None)
@given(pause=st.integers(14, 40), said=st.lists(st.sampled_from([CAT_SAT, "S AY", "T UW K AE T S"]), max_size=6))
def test_no_word_is_lost_or_said_twice_around_an_endpoint(toy, timed_words, pause, said):
    """A word may begin in any frame after or before the endpoint's decision."""
    parts = [silence(toy, 5)]
    for phones in said:
        parts += [toy.posteriors(phones), silence(toy, pause)]
    scores = np.concatenate(parts)
    whole = run(utterances(toy, timed_words, None, confidences=False), scores)
    cut = run(utterances(toy, timed_words, SHORT, confidences=False), scores)
    assert " ".join(texts(cut)) == " ".join(texts(whole))


def test_speech_without_a_pause_is_cut_between_words(toy, timed_words):
    scores = np.concatenate([toy.posteriors(CAT_SAT)] * 8)
    whole = run(utterances(toy, timed_words, None, confidences=False), scores)
    cut = run(utterances(toy, timed_words, Endpoints((), longest=1.0), confidences=False), scores)
    assert [each.reason for each in cut[:-1]] == ["length"] * (len(cut) - 1)
    assert len(cut) > 3
    assert " ".join(texts(cut)) == " ".join(texts(whole))


def test_what_is_kept_has_a_bound(toy, timed_words):
    found = utterances(toy, timed_words, Endpoints(longest=2.0), confidences=False)
    kept = []
    for _ in range(40):
        for begin in range(0, 21, 3):
            found.advance(toy.posteriors(CAT_SAT)[begin : begin + 3])
        kept.append(sum(len(block) for block in found._blocks))
    assert max(kept) <= 70


def test_partial_results_grow_into_the_final_one(toy, timed_words):
    found = utterances(toy, timed_words, None)
    assert found.partial(with_times=True).words == ()
    scores = np.concatenate([toy.posteriors(CAT_SAT), silence(toy, 5)])
    partials = []
    for begin in range(0, len(scores), 3):
        found.advance(scores[begin : begin + 3])
        partials.append(found.partial(with_times=True))
    assert partials[-1].text == "a cat sat"
    assert [each.word for each in partials[-1].timed] == ["a", "cat", "sat"]
    assert {each.words for each in partials} <= {(), ("a",), ("a", "cat"), ("a", "cat", "sat"), ("a", "cats")}


def test_an_end_that_is_asked_for_begins_the_next_utterance(toy, timed_words):
    found = utterances(toy, timed_words, None)
    found.advance(toy.posteriors(CAT_SAT))
    (first,) = found.end("asked")
    found.advance(toy.posteriors("S AY"))
    (second,) = found.end("end")
    assert [first.text, second.text] == ["a cat sat", "silent"]
    assert (first.reason, first.end, second.start, second.number) == ("asked", 0.63, 0.63, 1)


def test_an_utterance_without_a_frame_has_no_word(toy, timed_words):
    (final,) = utterances(toy, timed_words, SHORT).end("end")
    assert (final.text, final.start, final.end) == ("", 0.0, 0.0)
