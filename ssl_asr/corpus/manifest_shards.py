"""Writes shards of the manifest, and reads those that an earlier attempt has written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.corpus.augment.noise import noise_kind
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Shard, checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN, SCHEMA

FRAMES_A_SECOND = 100
_AUDIO = "ssl_asr.audio"  # in a file's footer


@dataclass(frozen=True)
class WrittenShard:
    """Rows of a shard, and the version of their audio."""

    rows: pa.Table
    audio_version: str


def write_shard(
    store: ShardStore, shard: Shard, slabs: Sequence[pa.Table], parents: Inputs, audio_version: str = ""
) -> None:
    """`slabs` have the manifest's columns. What is made from a shard is made again where its file differs, and rows
    do not tell changed audio: `audio_version` does."""
    rows = pa.concat_tables(slabs)
    conditions = {each["values"]: each["counts"] for each in rows["condition"].value_counts().to_pylist()}
    degraded = {name: count for name, count in conditions.items() if name != CLEAN}
    store.publish(
        shard,
        SCHEMA,
        slabs,
        [_frames(slab) for slab in slabs],
        seconds=float(np.cumsum(rows["duration"].to_numpy())[-1]),
        parents=parents,
        metadata={_AUDIO: audio_version} if audio_version else {},
        unbounded=SCHEMA.names,  # nothing looks for rows by their values
        statistics={
            "degraded": sum(degraded.values()),
            "noisy": sum(count for name, count in degraded.items() if noise_kind(name) is not None),
            "texts": rows.num_rows - rows["text"].null_count,
        },
    )


def read_shard(store: ShardStore, shard: Shard, parents: Inputs) -> WrittenShard | None:
    """None unless the shard is there, made from these parents, and the file of its entry."""
    entry = store.entry(shard)
    uri = store.uri(shard)
    if entry is None or dict(entry.parents) != dict(parents) or not filesystem.exists(uri):
        return None
    data = filesystem.read_bytes(uri)
    if checksum(data) != entry.checksum:
        return None
    rows = pq.read_table(io.BytesIO(data))
    version = (rows.schema.metadata or {}).get(_AUDIO.encode(), b"")
    return WrittenShard(rows.cast(SCHEMA), version.decode())


def _frames(slab: pa.Table) -> int:
    return int(np.rint(slab["duration"].to_numpy() * FRAMES_A_SECOND).sum())
