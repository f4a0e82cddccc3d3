from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.duplicates import id_hashes, id_table, later_uses, partitions_of

PARTITIONS = 5


def test_all_uses_but_the_first_are_found():
    random = np.random.default_rng(0)
    pieces = {number: [f"utt-{name}" for name in random.permutation(400)[:150]] for number in (2, 3, 7)}
    tables = {number: id_table(ids, np.arange(150) % 4) for number, ids in pieces.items()}
    found = Counter()
    for partition in range(PARTITIONS):
        parts = [table.filter(pa.array(partitions_of(table, PARTITIONS) == partition)) for table in tables.values()]
        for row in later_uses(parts, list(tables)).to_pylist():
            found[row["piece"], row["id"], row["bucket"]] += 1
    seen: set[str] = set()
    wanted = Counter()
    for number, ids in pieces.items():
        for place, (name, each) in enumerate(zip(ids, id_hashes(ids), strict=True)):
            wanted[number, each, place % 4] += name in seen
        seen.update(ids)
    assert found == +wanted
    assert len(found) > 100


def test_nothing_is_used_twice():
    assert not later_uses([], []).num_rows
    assert not later_uses(
        [id_table([], np.zeros(0, np.int64)), id_table(["a"], np.zeros(1, np.int64))], [0, 1]
    ).num_rows
