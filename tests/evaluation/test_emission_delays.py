import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.emission_delays import emission_delays, last_word_delay, word_delays
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.percentiles import Percentiles, percentiles
from ssl_asr.evaluation.reference_times import Span
from ssl_asr.evaluation.summary import cells_of, score
from ssl_asr.evaluation.transducer_results import EmissionDelays
from ssl_asr.store.utterance import Utterance


def test_words_that_are_right_have_a_delay():
    reference, ends = ["the", "cat", "sat", "down"], (0.4, 0.9, 1.5, 2.0)
    assert word_delays(reference, ends, reference, (0.5, 0.8, 1.5, 2.3)) == pytest.approx([0.1, -0.1, 0, 0.3])
    # "oh" is made up, "cat" is wrong, "down" is left out.
    found = word_delays(reference, ends, ["oh", "the", "dog", "sat"], (0.1, 0.6, 1.0, 1.8))
    assert found == pytest.approx([0.2, 0.3])
    assert word_delays(reference, ends, (), ()) == []
    assert word_delays((), (), ("oh",), (0.1,)) == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 9)), max_size=8), st.floats(-1, 1))
@settings(deadline=None)
def test_a_constant_delay_is_found(words, delay):
    said, ends = [word for word, _ in words], [end for _, end in words]
    found = word_delays(said, ends, said, [end + delay for end in ends])
    assert found == pytest.approx([delay] * len(words), abs=1e-9)


def test_partial_recognition_latency_is_that_of_the_last_word():
    assert last_word_delay(2.0, (0.5, 1.9)) == pytest.approx(-0.1)
    assert last_word_delay(2.0, ()) is None


def test_percentiles():
    assert percentiles([]) is None
    assert percentiles([3.0]) == Percentiles(3, 3, 1)
    found = percentiles([float(each) for each in range(100, -1, -1)])
    assert (found.p50, found.p90, found.count) == (pytest.approx(50), pytest.approx(90), 101)


def said(name: str, text: str, set_: str) -> Utterance:
    recording, _, condition = name.partition("@")
    about = {"recording": recording, "condition": condition or "clean", "tags": {"set": set_}}
    return Utterance(name, "a.wav", "s", 0, 1.0, text=text, **about)


SAID = {
    each.id: each
    for each in (
        said("b1", "the cat", "bob"),
        said("b1@room", "the cat", "bob"),
        said("j1", "sat", "joe"),
        said("j2", "not aligned", "joe"),
        said("j3", "sat", "joe"),
    )
}
SPOKEN = {"b1": [Span(0.1, 0.4), Span(0.5, 0.9)], "j1": [Span(0.2, 0.6)], "j3": [Span(0.2, 0.6)]}


def recognised(name: str, words: str, *emitted: float) -> Hypothesis:
    return Hypothesis(name, tuple(words.split()), 40, 0, 0, emitted=emitted)


def delays(*found: Hypothesis) -> list[EmissionDelays]:
    slabs = [DecodedSlab({}, 1.0, found[:2]), DecodedSlab({}, 1.0, found[2:])]
    return emission_delays(cells_of(score(SAID, slabs)), slabs, SAID, SPOKEN)


def test_delays_by_hand_in_every_cell():
    found = delays(
        recognised("b1", "the cat", 0.5, 0.8),  # 0.1 late, 0.1 early; the last word 0.1 early
        recognised("b1@room", "the dog oh", 0.7, 1.0, 1.5),  # "the" 0.3 late; the last that is said, 0.6
        recognised("j1", "sat", 1.0),  # 0.4
        recognised("j2", "not aligned", 0.5, 0.6),  # nobody knows when it was said
        recognised("j3", ""),  # nothing was recognised
    )
    cells = {(each.set, each.condition): each for each in found}
    assert [*cells] == [
        *(("bob", "clean"), ("bob", "room"), ("bob", ALL), ("joe", "clean"), ("joe", ALL)),
        *((ALL, "clean"), (ALL, "room"), (ALL, ALL)),
    ]
    everything = cells[ALL, ALL]
    # -0.1, 0.4, 0.6 and -0.1, 0.1, 0.3, 0.4: the 90th percentile lies 0.8 and 0.7 of the way between the last two.
    assert everything.last_word == Percentiles(pytest.approx(0.4), pytest.approx(0.56), 3)
    assert everything.words == Percentiles(pytest.approx(0.2), pytest.approx(0.37), 4)
    assert cells["bob", "clean"].words == Percentiles(pytest.approx(0.0), pytest.approx(0.08), 2)
    assert cells["bob", "room"].last_word == Percentiles(pytest.approx(0.6), pytest.approx(0.6), 1)
    assert cells["joe", "clean"].words == Percentiles(pytest.approx(0.4), pytest.approx(0.4), 1)


def test_without_emission_times_there_are_no_delays():
    assert delays(recognised("b1", "the cat"), recognised("j1", "sat"), recognised("j3", "")) == []


def test_a_cell_without_any_word_has_none():
    cells = {(each.set, each.condition): each for each in delays(recognised("b1", "the", 0.5), recognised("j3", ""))}
    assert cells["joe", "clean"] == EmissionDelays("joe", "clean", None, None)
    assert cells["bob", "clean"].last_word == Percentiles(pytest.approx(-0.4), pytest.approx(-0.4), 1)
