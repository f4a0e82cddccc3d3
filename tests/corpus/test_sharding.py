from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ssl_asr.corpus.sharding import Recordings, cut_shards, plan_shards, unchanged
from ssl_asr.store.utterance import Utterance, decode, encode


def _speech(speakers: dict[str, int], copies: int = 1) -> list[Utterance]:
    draw = np.random.default_rng(3)
    return [
        Utterance(f"{speaker}-{place}-{copy}", "x", speaker, place, seconds, recording=f"{speaker}-{place}")
        for speaker, count in sorted(speakers.items())
        for place, seconds in enumerate(draw.uniform(1, 5, count))
        for copy in range(copies)
    ]


def _recordings(rows: Sequence[Utterance]) -> Recordings:
    return Recordings.of(encode(sorted(rows, key=lambda row: (row.speaker, row.order))))


def _cut(rows: Sequence[Utterance], shard_minutes: float, slab_minutes: float) -> list[list[list[Utterance]]]:
    recordings = _recordings(rows)
    return [
        [decode(recordings.rows(slab)) for slab in slabs]
        for slabs in cut_shards(recordings, shard_minutes, slab_minutes)
    ]


def _ids(rows: Sequence[Utterance]) -> list[str]:
    return sorted(row.id for row in rows)


def test_shards_and_slabs_are_near_equal_and_complete() -> None:
    speech = _speech({"long": 900, **{f"s{number}": 20 for number in range(40)}, "single": 1}, copies=2)
    shards = _cut(speech, 10, 2)
    assert _ids([row for shard in shards for slab in shard for row in slab]) == _ids(speech)
    minutes = [sum(row.duration for slab in shard for row in slab) / 60 for shard in shards]
    assert max(minutes) / min(minutes) < 1.25  # as near as speakers of 2 minutes allow
    assert np.mean(minutes) == pytest.approx(10, rel=0.1)
    slabs = [sum(row.duration for row in slab) / 60 for shard in shards for slab in shard]
    assert max(slabs) < 2.6
    assert min(slabs) > 1.4


def test_speakers_stay_whole_copies_together_and_in_time_order() -> None:
    shards = _cut(_speech({"long": 300, **{f"s{number}": 10 for number in range(30)}}, copies=2), 5, 1)
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


def test_little_or_nothing() -> None:
    assert _cut([], 10, 2) == []
    (shard,) = _cut(_speech({"a": 1}), 10, 2)
    assert [len(slab) for slab in shard] == [1]


@pytest.fixture
def speech() -> list[Utterance]:
    return _speech({f"s{number}": 20 for number in range(8)}, copies=2)


@pytest.fixture
def before(speech: list[Utterance]) -> dict[int, pa.Table]:
    return {
        number: encode([row for slab in shard for row in slab]) for number, shard in enumerate(_cut(speech, 4, 1))
    }


Plan = tuple[list[int], dict[int, pa.Table]]


def _plan(rows: Sequence[Utterance], before: dict[int, pa.Table]) -> Plan:
    kept, new = plan_shards(_recordings(rows), before, 4, 1)
    return kept, {number: pa.concat_tables(slabs) for number, slabs in new.items()}


def _rows(tables: Sequence[pa.Table]) -> list[Utterance]:
    return [row for table in tables for row in decode(table)]


def test_first_and_killed_runs_are_cut_alike(speech: list[Utterance], before: dict[int, pa.Table]) -> None:
    assert len(before) > 3
    assert _plan(speech, {}) == ([], before)
    assert _plan(speech, before) == (sorted(before), {})
    rest = {number: table for number, table in before.items() if number != 2}
    assert _plan(speech, {2: before[2]}) == ([2], rest)


def test_added_speech_gets_new_numbers(speech: list[Utterance], before: dict[int, pa.Table]) -> None:
    added = _speech({"a": 60, "z": 60})
    kept, new = _plan([*added, *speech], before)
    assert kept == sorted(before)
    assert sorted(new) == [len(before), len(before) + 1]
    assert _ids(_rows([*new.values()])) == _ids(added)
    assert _plan([*added, *speech], before | new) == (sorted(before | new), {})


def test_lost_speech_frees_the_numbers_of_its_shards(speech: list[Utterance], before: dict[int, pa.Table]) -> None:
    lost = decode(before[1])[0].speaker
    left = [row for row in speech if row.speaker != lost]
    held = {number for number, table in before.items() if any(row.speaker == lost for row in decode(table))}
    kept, new = _plan(left, before)
    assert kept == sorted(before.keys() - held)
    assert set(new) <= held
    assert _ids(_rows([*(before[number] for number in kept), *new.values()])) == _ids(left)
    assert _plan([], before) == ([], {})


@pytest.mark.parametrize("field", [{"duration": 1.5}, {"text": "said"}, {"tags": {"set": "x"}}, {"channel": 1}])
def test_an_utterance_changed_in_any_field_opens_its_shard(
    speech: list[Utterance], before: dict[int, pa.Table], field: dict[str, object]
) -> None:
    name = decode(before[0])[0].id
    recordings = _recordings([replace(row, **field) if row.id == name else row for row in speech])
    kept, rest = unchanged(recordings, before)
    assert kept == [number for number in before if number != 0]
    assert _ids(decode(recordings.rows(rest))) == _ids(decode(before[0]))


def test_a_recording_in_one_condition_more_or_less_opens_its_shard(
    speech: list[Utterance], before: dict[int, pa.Table]
) -> None:
    first = decode(before[0])[0]
    more = [*speech, replace(first, id="new")]
    less = [row for row in speech if row.id != first.id]
    for changed in (more, less):
        assert 0 not in unchanged(_recordings(changed), before)[0]


def test_no_recording_is_kept_twice(speech: list[Utterance], before: dict[int, pa.Table]) -> None:
    kept, rest = unchanged(_recordings(speech), {**before, 9: before[2], 10: before[3].slice(0, 2)})
    assert kept == sorted(before)
    assert not len(rest)
