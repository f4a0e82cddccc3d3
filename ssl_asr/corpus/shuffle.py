"""How a split's source becomes shards of whole speakers: read in pieces, then cut bucket by bucket.

Every piece of the source is read by a task of its own, which leaves its utterances in as many partitions as there are
buckets. A speaker's bucket is a hash of the name; where the source lists speakers together, it is the piece's. A task
cuts the shards of one bucket from its partition of every
piece. So the shards depend on the source alone, and not on how many tasks ran, in which order, or how often. Both
halves are stores with ledgers: a run that was killed goes on with the pieces and buckets that are left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store import corpus_layout, filesystem, layout
from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import partition_store
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SCHEMA

# Of a list: about 110,000 utterances of 150 bytes, or 300 hours. A task holds a bucket in memory.
BUCKET_BYTES = 16 << 20
SEGMENT_BYTES_A_SECOND = 15  # what a list would have of a long recording: 150 bytes for each segment of 10 s
# Statistics of a bucket's entry: how many there are, and how many of its rejects are segments of long recordings.
BUCKETS, SEGMENTS_AGAIN = "buckets", "segments_again"
AUDIO_VERSION = "audio_version"  # column of the pieces, beside those of the manifest
PIECE_SCHEMA = SCHEMA.append(pa.field(AUDIO_VERSION, pa.string()))
MOST_BUCKETS = 1024  # a piece has a record batch for each


def pieces_store(run: str) -> ShardStore:
    """Utterances of each piece, partitioned by bucket."""
    return partition_store(run, layout.PIECES)


def ids_store(run: str) -> ShardStore:
    """Ids of each piece, partitioned by their hash."""
    return partition_store(run, layout.IDS)


def later_uses_store(run: str) -> ShardStore:
    """Of each partition of the ids those that were used before, partitioned by bucket."""
    return partition_store(run, layout.LATER_USES)


def buckets_store(run: str) -> ShardStore:
    """Of each bucket its sentences, and in its entry the shards that were cut from it."""
    return ShardStore(run, layout.BUCKETS, layout.TEXT_SUFFIX)


def sentence_files(run: str, split: str) -> list[str]:
    """Those of all buckets of a split; none where one is missing. A run of an earlier version has one file."""
    store = buckets_store(run)
    index = store.index(split)
    if not len(index):
        uri = corpus_layout.sentences_uri(run, split)
        return [uri] if filesystem.exists(uri) else []
    whole = len(index) == int(index.statistic(BUCKETS)[0]) and store.have_files(split, index.numbers).all()
    return [store.uri(Shard(split, int(number))) for number in index.numbers] if whole else []


def count_of_buckets(source_bytes: float, most: int = MOST_BUCKETS) -> int:
    """For a source whose lists have so many bytes."""
    return min(max(round(source_bytes / BUCKET_BYTES), 1), most, MOST_BUCKETS)


def buckets_of(speakers: Sequence[str], count: int) -> npt.NDArray[np.int64]:
    """[rows]: the bucket of each speaker."""
    known = {speaker: _hash(speaker) % count for speaker in set(speakers)}
    return np.fromiter((known[speaker] for speaker in speakers), np.int64, len(speakers))


def shard_number(bucket: int, place: int, buckets: int) -> int:
    """Of the shard at a place in its bucket: other buckets have other numbers, however many shards each has."""
    return bucket + place * buckets


def _hash(speaker: str) -> int:
    return int.from_bytes(hashlib.blake2b(speaker.encode(), digest_size=8).digest(), "little")
