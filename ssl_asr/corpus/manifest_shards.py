"""Writes shards of the manifest, and reads those that an earlier attempt has written."""

from __future__ import annotations

import io

import pyarrow.parquet as pq

from ssl_asr.corpus.augment.noise import noise_kind
from ssl_asr.corpus.sharding import Slabs
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Shard, checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN, SCHEMA, Utterance, decode, encode

FRAMES_A_SECOND = 100


def write_shard(store: ShardStore, shard: Shard, slabs: Slabs, parents: Inputs) -> None:
    # The entry of a former shard of this number must not vouch for the new file.
    filesystem.delete(store.ledger_uri(shard))
    rows = [utterance for slab in slabs for utterance in slab]
    store.publish(
        shard,
        SCHEMA,
        [encode(slab) for slab in slabs],
        [sum(map(_frames, slab)) for slab in slabs],
        seconds=sum(utterance.duration for utterance in rows),
        parents=parents,
        metadata={},
        statistics={
            "degraded": sum(utterance.condition != CLEAN for utterance in rows),
            "noisy": sum(noise_kind(utterance.condition) is not None for utterance in rows),
            "texts": sum(utterance.text is not None for utterance in rows),
        },
    )


def read_slabs(store: ShardStore, shard: Shard, parents: Inputs) -> Slabs | None:
    """The shard's slabs; None unless it is there, made from these parents, and the file of its entry."""
    entry = store.entry(shard)
    uri = store.uri(shard)
    if entry is None or dict(entry.parents) != dict(parents) or not filesystem.exists(uri):
        return None
    data = filesystem.read_bytes(uri)
    if checksum(data) != entry.checksum:
        return None
    file = pq.ParquetFile(io.BytesIO(data))
    return [decode(file.read_row_group(slab)) for slab in range(file.num_row_groups)]


def _frames(utterance: Utterance) -> int:
    return round(utterance.duration * FRAMES_A_SECOND)
