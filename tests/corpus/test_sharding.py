from dataclasses import replace

import numpy as np
import pytest

from ssl_asr.corpus.sharding import Group, Slabs, cut_shards, plan_shards, unchanged
from ssl_asr.store.utterance import Utterance


def _groups(speakers: dict[str, int], copies: int = 1) -> list[list[Utterance]]:
    draw = np.random.default_rng(3)
    return [
        [
            Utterance(f"{speaker}-{place}-{copy}", "x", speaker, place, seconds, recording=f"{speaker}-{place}")
            for copy in range(copies)
        ]
        for speaker, count in speakers.items()
        for place, seconds in enumerate(draw.uniform(1, 5, count))
    ]


def test_shards_and_slabs_are_near_equal_and_complete() -> None:
    groups = _groups({"long": 900, **{f"s{number}": 20 for number in range(40)}, "single": 1}, copies=2)
    shards = cut_shards(groups, 10, 2)
    rows = [row.id for shard in shards for slab in shard for row in slab]
    assert sorted(rows) == sorted(row.id for group in groups for row in group)
    minutes = [sum(row.duration for slab in shard for row in slab) / 60 for shard in shards]
    assert max(minutes) / min(minutes) < 1.25  # as near as speakers of 2 minutes allow
    assert np.mean(minutes) == pytest.approx(10, rel=0.1)
    slabs = [sum(row.duration for row in slab) / 60 for shard in shards for slab in shard]
    assert max(slabs) < 2.6
    assert min(slabs) > 1.4


def test_speakers_stay_whole_copies_together_and_in_time_order() -> None:
    groups = _groups({"long": 300, **{f"s{number}": 10 for number in range(30)}}, copies=2)
    shards = cut_shards(groups, 5, 1)
    homes: dict[str, set[int]] = {}
    for number, shard in enumerate(shards):
        orders: dict[str, int] = {}
        for slab in shard:
            recordings = [row.recording for row in slab]
            assert all(recordings.count(recording) == 2 for recording in recordings)
            for row in slab:
                homes.setdefault(row.speaker, set()).add(number)
                assert orders.get(row.speaker, 0) <= row.order
                orders[row.speaker] = row.order
    assert all(len(found) == 1 for speaker, found in homes.items() if speaker != "long")
    assert len(homes["long"]) > 1


def test_order_of_the_input_does_not_matter() -> None:
    groups = _groups({"a": 30, "b": 50, "c": 5})
    assert cut_shards(groups, 1, 0.5) == cut_shards(groups[::-1], 1, 0.5)


def test_little_or_nothing() -> None:
    assert cut_shards([], 10, 2) == []
    (shard,) = cut_shards(_groups({"a": 1}), 10, 2)
    assert [len(slab) for slab in shard] == [1]


def _ids(shards: list[Slabs]) -> list[str]:
    return sorted(row.id for shard in shards for slab in shard for row in slab)


def _group_ids(groups: list[Group]) -> list[str]:
    return sorted(row.id for group in groups for row in group)


@pytest.fixture
def groups() -> list[Group]:
    return _groups({f"s{number}": 20 for number in range(8)}, copies=2)


@pytest.fixture
def before(groups: list[Group]) -> dict[int, Slabs]:
    return dict(enumerate(cut_shards(groups, 4, 1)))


def test_first_and_killed_runs_are_cut_alike(groups: list[Group], before: dict[int, Slabs]) -> None:
    assert len(before) > 3
    assert plan_shards(groups, {}, 4, 1) == ([], before)
    assert plan_shards(groups, before, 4, 1) == (sorted(before), {})
    assert plan_shards(groups, {2: before[2]}, 4, 1) == (
        [2],
        {number: before[number] for number in before if number != 2},
    )


def test_added_speech_gets_new_numbers(groups: list[Group], before: dict[int, Slabs]) -> None:
    added = _groups({"a": 60, "z": 60})
    kept, new = plan_shards([*added, *groups], before, 4, 1)
    assert kept == sorted(before)
    assert sorted(new) == [len(before), len(before) + 1]
    assert _ids([*new.values()]) == _group_ids(added)
    assert plan_shards([*added, *groups], before | new, 4, 1) == (sorted(before | new), {})


def test_lost_speech_frees_the_numbers_of_its_shards(groups: list[Group], before: dict[int, Slabs]) -> None:
    lost = before[1][0][0].speaker
    left = [group for group in groups if group[0].speaker != lost]
    held = {number for number, shard in before.items() if any(row.speaker == lost for slab in shard for row in slab)}
    kept, new = plan_shards(left, before, 4, 1)
    assert kept == sorted(before.keys() - held)
    assert set(new) <= held
    assert _ids([*(before[number] for number in kept), *new.values()]) == _group_ids(left)
    assert plan_shards([], before, 4, 1) == ([], {})


@pytest.mark.parametrize("field", [{"duration": 1.5}, {"text": "said"}, {"tags": {"set": "x"}}, {"order": 77}])
def test_an_utterance_changed_in_any_field_opens_its_shard(
    groups: list[Group], before: dict[int, Slabs], field: dict[str, object]
) -> None:
    name = before[0][0][0].id
    changed = [[replace(row, **field) if row.id == name else row for row in group] for group in groups]
    kept, rest = unchanged(changed, before)
    assert kept == {number: before[number] for number in before if number != 0}
    assert _group_ids(rest) == _ids([before[0]])


def test_a_recording_in_one_condition_more_or_less_opens_its_shard(
    groups: list[Group], before: dict[int, Slabs]
) -> None:
    name = before[0][0][0].recording
    more = [[*group, replace(group[0], id="new")] if group[0].recording == name else group for group in groups]
    less = [group[:1] if group[0].recording == name else group for group in groups]
    for changed in (more, less):
        assert 0 not in unchanged(changed, before)[0]


def test_no_group_is_kept_twice(groups: list[Group], before: dict[int, Slabs]) -> None:
    kept, rest = unchanged(groups, {**before, 9: before[2], 10: [before[3][0]]})
    assert (kept, rest) == (before, [])
