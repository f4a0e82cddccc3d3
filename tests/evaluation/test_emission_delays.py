import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.evaluation.emission_delays import last_word_delay, word_delays
from ssl_asr.evaluation.percentiles import Percentiles, percentiles


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
