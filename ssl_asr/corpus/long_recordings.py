"""Recordings that are too long for an utterance, on their way to be cut: by piece of the list, in batches.

`corpus/long/<split>/<piece>.arrow` has those of a piece, a record batch for each batch (`segment/batches.py`).
`corpus/cuts/<split>/<batch>.arrow` says where those of a batch were cut; it is named by the content of the batch. The
segments of some hundred hours are then a piece like others, with a number of its own: `segments_piece`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.corpus.segment.batches import batch_ends, batch_number
from ssl_asr.corpus.shuffle import AUDIO_VERSION
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem, layout
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import Numbers
from ssl_asr.store.partitions import partition_store, publish_partitions, read_partition
from ssl_asr.store.shards import ShardStore

# Where a recording was cut: in samples from the beginning of its file, at the rate of the file. `seconds` were heard.
# A recording that can't be used has a reason.
CUT_SCHEMA = pa.schema(
    [
        ("reason", pa.string()),
        ("sample_rate", pa.int32()),
        ("seconds", pa.float64()),
        ("begins", pa.list_(pa.int64())),
        ("ends", pa.list_(pa.int64())),
    ]
)
# Of a batch, in the mean. At 400 times real time a core takes 18 s for it.
BATCH_SECONDS = 7200.0
# Of a piece of segments: about as many of them as a piece of a list has utterances.
GROUP_SECONDS = 500 * 3600.0
_PIECE_BITS = 32
_NUMBERS, _SECONDS = "batches", "batch_seconds"  # statistics of a piece's recordings
_ORDER = ("audio", "channel", "offset", "id")
_CONTENT = ("audio", "channel", "offset", "duration", AUDIO_VERSION)


def long_store(run: str) -> ShardStore:
    """Long recordings of each piece, partitioned by batch."""
    return partition_store(run, layout.LONG)


def cuts_store(run: str) -> ShardStore:
    """Of each batch where it was cut, in one partition."""
    return partition_store(run, layout.CUTS)


def segments_piece(piece: int, group: int) -> int:
    """The number of the piece that has the segments of a group of batches of a piece of the list."""
    return (group + 1) << _PIECE_BITS | piece


def listed_piece(piece: int) -> int:
    """The piece of the list that a piece comes from."""
    return piece & ((1 << _PIECE_BITS) - 1)


def is_of_list(piece: int) -> bool:
    """Whether a piece is one of the list, and not of segments."""
    return piece < 1 << _PIECE_BITS


@dataclass(frozen=True)
class Batches:
    """All batches of a split, [batches] each, in the order of the list.

    `numbers` are those of their cuts. `pieces` and `places` say where their recordings are: the number of the piece,
    and the partition of its file. `seconds` are those of the list. `groups` are numbers of pieces of segments.
    """

    split: str
    numbers: Numbers
    pieces: Numbers
    places: Numbers
    seconds: npt.NDArray[np.float64]
    groups: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def recordings(self, run: str, batch: int) -> pa.Table:
        """Rows of the recordings of the batch at this index."""
        piece = Shard(self.split, int(self.pieces[batch]))
        return read_partition(long_store(run), piece, int(self.places[batch]))


def publish_long(run: str, shard: Shard, recordings: pa.Table, parents: Inputs) -> None:
    """The long recordings of a piece of a list, with the columns of pieces; none: what it had before is deleted."""
    store = long_store(run)
    if not recordings.num_rows:
        filesystem.delete(store.ledger_uri(shard))
        filesystem.delete(store.uri(shard))
        return
    rows = recordings.sort_by([(name, "ascending") for name in _ORDER])
    keys = list(map(json.dumps, zip(*(rows[name].to_pylist() for name in _CONTENT), strict=True)))
    seconds = rows["duration"].to_numpy()
    ends = batch_ends(keys, seconds.tolist(), BATCH_SECONDS)
    sizes = np.diff(ends, prepend=0)
    publish_partitions(
        store,
        shard,
        rows,
        np.repeat(np.arange(len(ends)), sizes),
        count=len(ends),
        parents=parents,
        seconds=float(seconds.sum()),
        statistics={
            _NUMBERS: [batch_number(keys[end - size : end]) for end, size in zip(ends, sizes.tolist(), strict=True)],
            _SECONDS: np.add.reduceat(seconds, np.array(ends) - sizes).round(3).tolist(),
        },
    )


def batches_of(run: str, split: str) -> Batches:
    """Of all pieces of a split, once these are read."""
    entries = long_store(run).entries(split)
    counts = [len(entry.statistics[_NUMBERS]) for entry in entries]
    groups = [_groups(entry.shard.number, entry.statistics[_SECONDS]) for entry in entries]
    return Batches(
        split,
        _joined([entry.statistics[_NUMBERS] for entry in entries]).astype(np.int64),
        np.repeat(np.array([entry.shard.number for entry in entries], np.int64), counts),
        _joined([range(count) for count in counts]).astype(np.int64),
        _joined([entry.statistics[_SECONDS] for entry in entries]).astype(np.float64),
        _joined(groups).astype(np.int64),
    )


def _groups(piece: int, seconds: Sequence[float]) -> list[int]:
    before = np.cumsum(seconds) - seconds
    return [segments_piece(piece, group) for group in (before // GROUP_SECONDS).astype(int).tolist()]


def _joined(parts: Sequence[Sequence[float]]) -> npt.NDArray[np.generic]:
    return np.concatenate([np.array(part) for part in parts]) if parts else np.zeros(0)
