"""Batches of recordings: whole, near their mean length, and the same where others are added or dropped."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.corpus.segment.batches import batch_ends, batch_number

SECONDS = st.lists(st.floats(1, 20_000), max_size=60)


def keys(count: int) -> list[str]:
    return [f"recording {number}" for number in range(count)]


def batches(names: list[str], seconds: list[float], mean: float = 7200) -> list[tuple[str, ...]]:
    ends = batch_ends(names, seconds, mean)
    return [tuple(names[begin:end]) for begin, end in itertools.pairwise([0, *ends])]


@given(SECONDS)
def test_all_recordings_are_in_one_batch_each(seconds: list[float]) -> None:
    names = keys(len(seconds))
    found = batches(names, seconds)
    assert [name for batch in found for name in batch] == names
    assert all(found)
    lengths = dict(zip(names, seconds, strict=True))
    assert all(sum(lengths[name] for name in batch[:-1]) < 4 * 7200 for batch in found)


def test_their_length_is_the_mean() -> None:
    seconds = np.random.default_rng(0).uniform(300, 900, 20_000).tolist()
    count = len(batch_ends(keys(len(seconds)), seconds, 7200))
    assert 0.9 < sum(seconds) / count / 7200 < 1.1
    assert len(batch_ends(keys(5), [8000.0] * 5, 7200)) == 5


@given(SECONDS.filter(bool), st.data())
def test_a_recording_more_changes_the_batches_near_it_alone(seconds: list[float], data: st.DataObject) -> None:
    names = keys(len(seconds))
    place = data.draw(st.integers(0, len(names)))
    before = batches(names, seconds, 3000)
    after = batches([*names[:place], "new", *names[place:]], [*seconds[:place], 10.0, *seconds[place:]], 3000)
    assert before[: len(before) // 2] == after[: len(before) // 2] or place < len(names)
    gone, come = {*before} - {*after}, {*after} - {*before}
    touched = [int(name.split()[1]) for batch in (*gone, *come) for name in batch if name != "new"]
    # Those that differ are neighbours of the new one, without a gap.
    if touched:
        assert min(touched) <= place <= max(touched) + 1
        assert {*touched} == {*range(min(touched), max(touched) + 1)}


def test_most_batches_stay_where_a_recording_is_added_to_many() -> None:
    random = np.random.default_rng(1)
    seconds = random.uniform(60, 2000, 3000).tolist()
    before = batches(keys(3000), seconds)
    for place in random.integers(0, 3000, 20).tolist():
        names = [*keys(3000)[:place], "new", *keys(3000)[place:]]
        after = batches(names, [*seconds[:place], 500.0, *seconds[place:]])
        assert len({*after} - {*before}) <= 6


def test_a_number_tells_a_batch_from_others() -> None:
    numbers = [batch_number(keys(count)) for count in range(1, 2000)]
    assert len({*numbers}) == len(numbers)
    assert max(numbers) < 10**18  # as names of files have it
    assert batch_number(["a", "b"]) == batch_number(["a", "b"]) != batch_number(["b", "a"])
