from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import Partitions, partition_store, publish_partitions, read_partition

COUNT = 7


def published(run: str, number: int, rows: int = 100) -> tuple[pa.Table, np.ndarray]:
    random = np.random.default_rng(number)
    names = [f"{number}-{row}" for row in range(rows)]
    tags = [[("set", name)] for name in names]
    kind = pa.map_(pa.string(), pa.string())
    table = pa.table({"id": names, "at": random.random(rows), "tags": pa.array(tags, kind)})
    partitions = random.integers(0, COUNT - 1, rows)  # the last one has no row
    store = partition_store(run, "corpus/pieces")
    publish_partitions(
        store, Shard("labeled", number), table, partitions, count=COUNT, parents={"piece": str(number)}, statistics={}
    )
    return table, partitions


def test_partitions_hold_their_rows_in_order(tmp_path):
    store = partition_store(str(tmp_path), "corpus/pieces")
    for number in range(3):
        table, partitions = published(str(tmp_path), number)
        for partition in range(COUNT):
            found = read_partition(store, Shard("labeled", number), partition)
            assert found.equals(table.filter(pa.array(partitions == partition)))
    found = Partitions.of(store, "labeled")
    rows = found.rows
    assert found.files(COUNT - 1) == []
    assert found.files(0) == [0, 1, 2]
    assert rows.shape == (3, COUNT)
    assert rows.sum() == 300
    assert not rows[:, -1].any()
    assert [shard.number for shard in store.shards("labeled")] == [0, 1, 2]
    assert store.unfinished({Shard("labeled", 1): {"piece": "1"}, Shard("labeled", 2): {"piece": "x"}}) == [
        Shard("labeled", 2)
    ]


def test_a_digest_tells_the_rows_of_one_partition_from_others(tmp_path):
    run, store = str(tmp_path), partition_store(str(tmp_path), "corpus/pieces")
    table, partitions = published(run, 0)
    before = [Partitions.of(store, "labeled").digest(each) for each in range(COUNT)]
    assert len(set(before)) == COUNT
    changed = table.set_column(1, "at", pa.array(np.where(partitions == 2, 0.5, table["at"].to_numpy())))
    publish_partitions(store, Shard("labeled", 0), changed, partitions, count=COUNT, parents={})
    after = [Partitions.of(store, "labeled").digest(each) for each in range(COUNT)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [each != 2 for each in range(COUNT)]
    published(run, 1, rows=0)
    assert [Partitions.of(store, "labeled").digest(each) for each in range(COUNT)] == after


def test_a_table_may_be_empty(tmp_path):
    table, _ = published(str(tmp_path), 0, rows=0)
    store = partition_store(str(tmp_path), "corpus/pieces")
    assert read_partition(store, Shard("labeled", 0), 3).equals(table)


@pytest.mark.parametrize("damage", ["missing", "short", "other"])
def test_a_damaged_file_is_named(tmp_path, damage):
    published(str(tmp_path), 0)
    store = partition_store(str(tmp_path), "corpus/pieces")
    file = Path(store.uri(Shard("labeled", 0)))
    data = file.read_bytes()
    {
        "missing": file.unlink,
        "short": lambda: file.write_bytes(data[:-20]),
        "other": lambda: file.write_bytes(b"no arrow"),
    }[damage]()
    with pytest.raises(ValueError, match=r"000000\.arrow is missing or damaged"):
        read_partition(store, Shard("labeled", 0), 0)
