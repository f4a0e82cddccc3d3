"""What an extractor is trained on: limits, groups, and nothing of the order of shards."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.speakers.batches import BatchShape, check_speakers, draw_batch
from ssl_asr.speakers.pool import Pooled, PoolSettings, Ungrouped, pool_of, read_pool, ungrouped
from tests.speakers.made_up import made_up_run

LABELED = PoolSettings(splits=("labeled",))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return made_up_run(tmp_path_factory.mktemp("run"))


def test_speakers_with_one_utterance_are_left_out(recipe):
    pool = read_pool(recipe, LABELED)
    assert list(pool.speakers) == [f"person {number}" for number in range(6)]
    assert pool.single == 2
    assert len(pool.utterances) == 36
    for name, places in zip(pool.speakers, pool.places, strict=True):
        assert {pool.utterances[place].speaker for place in places} == {name}
    assert pool.groups == []
    assert {each.frames.shape for each in pool.utterances} == {(25, 192)}


def test_groups_are_values_of_a_tag(recipe):
    pool = read_pool(recipe, PoolSettings(splits=("labeled",), group_tag="region"))
    assert pool.groups == ["north", "south"]
    numbers = [int(each.speaker.rpartition(" ")[2]) % 2 for each in pool.utterances]
    assert [each.group for each in pool.utterances] == [pool.groups[number] for number in numbers]


def test_those_without_a_group_are_counted(recipe):
    assert ungrouped(recipe, PoolSettings(splits=("labeled",), group_tag="region")) == Ungrouped(0, 6, 0, 36)
    nobody = PoolSettings(splits=("labeled",), group_tag="no", speakers=["person 2", "person 90"])
    assert ungrouped(recipe, nobody) == Ungrouped(1, 1, 6, 6)


def test_limits_are_kept(recipe):
    few = read_pool(recipe, PoolSettings(splits=("labeled",), most_utterances=3))
    assert [len(each) for each in few.places] == [3] * 6
    short = read_pool(recipe, PoolSettings(splits=("labeled",), most_hours=10 * 25 / 120_000))
    assert len(short.utterances) + short.single <= 10


def test_speakers_may_be_named(recipe):
    pool = read_pool(recipe, PoolSettings(splits=("labeled",), speakers=["person 2", "person 4", "person 90"]))
    assert (list(pool.speakers), pool.single) == (["person 2", "person 4"], 1)
    with pytest.raises(ValueError, match="no features of labeled speech of the 1 speakers that are asked for"):
        read_pool(recipe, PoolSettings(splits=("labeled",), speakers=["nobody"]))


def test_a_split_without_features_is_told(recipe):
    with pytest.raises(ValueError, match="no features of dev speech; run the stage 'frontend' first"):
        read_pool(recipe, PoolSettings(splits=("dev",)))


def made(*counts: int):
    frames = np.arange(40 * 3, dtype=np.float16).reshape(40, 3)
    return pool_of([Pooled(f"{a}-{b}", str(a), frames, None) for a, count in enumerate(counts) for b in range(count)])


def test_a_batch_is_drawn_the_same_again_and_each_utterance_once_before_twice():
    pool, shape = made(2, 9, 5, 4), BatchShape(3, 4, crop=30)
    one, other = (draw_batch(pool, shape, 1, 7) for _ in range(2))
    assert [each.place for each in one] == [each.place for each in other]
    assert all(np.array_equal(each.frames, again.frames) for each, again in zip(one, other, strict=True))
    assert [each.frames.shape for each in one] == 12 * [(30, 3)]
    for step in range(20):
        places = np.array([each.place for each in draw_batch(pool, shape, 1, step)]).reshape(3, 4)
        owners = [{pool.utterances[place].speaker for place in row} for row in places]
        assert all(len(each) == 1 for each in owners)
        assert len(set.union(*owners)) == 3
        for row, (owner,) in zip(places, owners, strict=True):
            assert len({*row.tolist()}) == (2 if owner == "0" else 4)


def test_a_batch_of_more_speakers_than_there_are_is_refused():
    with pytest.raises(
        ValueError, match="a batch wants 5 speakers, and 3 have two utterances or more; give --batch-sp"
    ):
        check_speakers(made(2, 2, 1, 3), BatchShape(5))
