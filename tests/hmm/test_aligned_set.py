"""The counts of a senone set, from the ledger of one of its sets of alignments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.hmm.aligned_set import counted_senones
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.store import alignments
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.toy_run import tied_table

TABLE = tied_table(50).astype(np.uint16)


def publish(run: Path, number: int, statistics: Mapping[str, object]) -> ShardStore:
    store = ShardStore(
        str(run), alignments.store_name(counted_senones(str(run / "empty"), ENGLISH, TABLE).alignment_set)
    )
    shard = Shard("labeled", number)
    store.publish(shard, alignments.SCHEMA, [], [], seconds=0, parents={}, metadata={}, statistics=statistics)
    return store


def test_the_counts_are_those_of_all_shards(tmp_path: Path) -> None:
    assert TABLE.shape == (len(ENGLISH),) * 3
    for number in (0, 1):
        publish(tmp_path, number, {"senone_counts": list(range(50))})
    np.testing.assert_array_equal(counted_senones(str(tmp_path), ENGLISH, TABLE).counts, 2 * np.arange(50))


@pytest.mark.parametrize("statistics", [{}, {"senone_counts": [1, 2]}])
def test_an_entry_without_these_counts_is_named(tmp_path: Path, statistics: Mapping[str, object]) -> None:
    store = publish(tmp_path, 3, statistics)
    with pytest.raises(ValueError, match=r"000003\.json does not count.*run `ssl-asr hmm"):
        counted_senones(str(tmp_path), ENGLISH, TABLE)
    assert store.shards("labeled") == [Shard("labeled", 3)]
