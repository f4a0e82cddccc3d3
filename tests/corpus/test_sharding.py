import numpy as np
import pytest

from ssl_asr.corpus.sharding import cut_shards
from ssl_asr.corpus.utterance import Utterance


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
