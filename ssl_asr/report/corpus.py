"""How much speech a run has, by split and condition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from ssl_asr.store import utterance
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger import Shard
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.run_index import StoreIndex
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class CorpusRow:
    """One split in one condition."""

    split: str
    condition: str
    utterances: int
    hours: float
    speakers: int


def corpus_rows(stores: Sequence[StoreIndex]) -> tuple[CorpusRow, ...]:
    """Of the manifests among `stores`: splits in their order, clean speech first."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    speakers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for manifest in (each for each in stores if each.kind == MANIFEST):
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            listed = pool.map(partial(_listed, manifest.store), manifest.shards)
            for shard, table in zip(manifest.shards, listed, strict=True):
                for speaker, condition, duration in zip(*(each.to_pylist() for each in table.columns), strict=True):
                    seconds[shard.split, condition].append(duration)
                    speakers[shard.split, condition].add(speaker)
    order = sorted(seconds, key=lambda cell: (utterance.SPLITS.index(cell[0]), cell[1] != utterance.CLEAN, cell[1]))
    return tuple(
        CorpusRow(*cell, len(seconds[cell]), sum(seconds[cell]) / 3600, len(speakers[cell])) for cell in order
    )


def _listed(store: ShardStore, shard: Shard) -> pa.Table:
    return store.read(shard, ["speaker", "condition", "duration"])
