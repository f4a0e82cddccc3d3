import pytest

from ssl_asr.corpus.audio_places import row_of
from ssl_asr.corpus.sampled_rates import SAMPLED, SAMPLED_ROWS, a_few, estimated_rates
from ssl_asr.store.utterance import Utterance


def utterance(number: int, audio: str = "/data/{}.flac", seconds: float = 2.0) -> Utterance:
    return Utterance(f"{number}", audio.format(number), "s", 0, seconds)


def test_the_same_few_are_chosen_of_the_same_list() -> None:
    listed = [utterance(number) for number in range(1000)]
    few = a_few(listed)
    assert len(few) == SAMPLED
    assert few == a_few([utterance(number) for number in range(1000)])
    numbers = [int(each.id) for each in few]
    assert numbers == sorted({*numbers})
    assert 0 < sum(number % 2 for number in numbers) < SAMPLED, "not every second, nor in step with a mixed list"
    assert a_few(listed[:5]) == listed[:5]
    assert a_few([]) == []


def test_of_a_parquet_file_the_first_rows_are_chosen() -> None:
    listed = [Utterance(f"{row}", row_of("/data/a.parquet", row), "s", 0, 1.0) for row in range(100)]
    assert a_few(listed) == listed[:SAMPLED_ROWS]


def test_hours_are_in_the_shares_of_those_that_could_be_opened() -> None:
    listed = [utterance(number) for number in range(100)]
    few = [utterance(0, seconds=1.0), utterance(1, seconds=3.0), utterance(2)]
    assert estimated_rates(listed, few, [8000, 16000, None]) == pytest.approx({"8000": 50.0, "16000": 150.0})
    assert estimated_rates(listed, few, [None, None, None]) == {}
    assert estimated_rates([], [], []) == {}
