"""Integrity checks of every finished shard: its file is whole and matches its ledger entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.store import features, filesystem
from ssl_asr.store.ledger import LedgerEntry, Shard, checksum
from ssl_asr.store.shards import SCHEMA_VERSION, ShardStore


class Damage(ValueError):
    """What is wrong with a file; the text completes a sentence that starts with the file's name."""


@dataclass(frozen=True)
class SlabRows:
    """The data that joins the stores: `ids` of a slab's utterances, and `frames` int64 [utterances].

    `conditions` is empty in stores that don't say them.
    """

    ids: list[str]
    frames: npt.NDArray[np.int64]
    conditions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Checked:
    """A shard that was read: its `size` in bytes, and its slabs if nothing is wrong with it."""

    entry: LedgerEntry | None
    size: int
    slabs: list[SlabRows] | None
    damage: str = ""


LookAtSlab = Callable[[pa.Table], None]  # raises Damage


def check_shard(store: ShardStore, shard: Shard, schemas: Sequence[pa.Schema], look: LookAtSlab) -> Checked:
    """Read the whole shard, which has a file and an entry; calls `look` with every slab that decodes.

    OSError if the file can't be reached; this says nothing about its content.
    """
    entry, data = None, b""
    try:
        entry = _entry(store, shard)
        data = filesystem.read_bytes(store.uri(shard))
        return Checked(entry, len(data), check_data(data, entry, schemas, look))
    except Damage as damage:
        return Checked(entry, len(data), None, str(damage))


def check_data(data: bytes, entry: LedgerEntry, schemas: Sequence[pa.Schema], look: LookAtSlab) -> list[SlabRows]:
    """The rows of a shard's file; Damage if the file does not match its entry, most useful difference first."""
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            _check_footer(file.schema_arrow, entry, schemas)
            slabs = list(_slabs(file, look))
    except Damage:
        raise
    # A damaged file may raise many kinds of errors in its reader.
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise Damage(f"is not a whole Parquet file of {len(data)} bytes ({_first_line(error)})") from error
    _check_counts(slabs, entry)
    if checksum(data) != entry.checksum:
        raise Damage(f"has changed since it was written: checksum {checksum(data)}, in its entry {entry.checksum}")
    return slabs


def check_same_rows(slabs: Sequence[SlabRows], feature_slabs: Sequence[SlabRows]) -> None:
    """Damage if the utterances are not those of the features, slab by slab, in the same order."""
    if len(slabs) != len(feature_slabs):
        raise Damage(f"has {len(slabs)} slabs, but the features have {len(feature_slabs)}")
    for index, (slab, feature_slab) in enumerate(zip(slabs, feature_slabs, strict=True)):
        if slab.ids == feature_slab.ids:
            continue
        same = "in another order" if sorted(slab.ids) == sorted(feature_slab.ids) else "of other utterances"
        raise Damage(f"has rows {same} than the features in slab {index}")


def check_parents(parents: Mapping[str, str], beside: Mapping[str, str]) -> None:
    """Damage if a shard was made from another file than the current one; `beside` maps stores to checksums."""
    for name, now in beside.items():
        if parents.get(name, now) != now:
            raise Damage(f"was made from {name} with checksum {parents[name]}, but the current checksum is {now}")


def _entry(store: ShardStore, shard: Shard) -> LedgerEntry:
    uri = store.ledger_uri(shard)
    data = filesystem.read_bytes(uri)
    try:
        entry = LedgerEntry.from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        raise Damage(f"has a ledger entry, {uri}, that is not whole") from error
    if (entry.store, entry.shard) != (store.name, shard):
        raise Damage(f"has a ledger entry, {uri}, that names {entry.store}/{entry.shard.name}")
    return entry


def _check_footer(schema: pa.Schema, entry: LedgerEntry, schemas: Sequence[pa.Schema]) -> None:
    footer = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    expected = {"ssl_asr.schema": SCHEMA_VERSION, "ssl_asr.store": entry.store}
    expected |= {f"ssl_asr.parent.{name}": value for name, value in entry.parents.items()}
    for key in sorted(expected.keys() | {key for key in footer if key.startswith("ssl_asr.parent.")}):
        if footer.get(key) != expected.get(key):
            raise Damage(
                f"is another shard: its footer says {key} {footer.get(key, 'nothing')}, "
                f"its entry {expected.get(key, 'nothing')}"
            )
    if not any(schema.remove_metadata().equals(each) for each in schemas):
        raise Damage(f"has columns that {entry.store} does not have: {', '.join(schema.names)}")


def _slabs(file: pq.ParquetFile, look: LookAtSlab) -> Iterator[SlabRows]:
    for index in range(file.num_row_groups):
        table = file.read_row_group(index)
        conditions = table["condition"].to_pylist() if "condition" in table.column_names else []
        rows = SlabRows(table["id"].to_pylist(), _frames(table), conditions)
        if len(rows.ids) != len(set(rows.ids)):
            raise Damage(f"has an utterance twice in slab {index}")
        look(table)
        yield rows


def _frames(table: pa.Table) -> npt.NDArray[np.int64]:
    """Frames of each row; in the manifest they follow from the durations."""
    if "num_frames" in table.column_names:
        frames = table["num_frames"]
        if frames.null_count:
            raise Damage("has a row without num_frames")
        return frames.to_numpy().astype(np.int64)
    return np.rint(table["duration"].to_numpy() * round(1 / features.FRAME_SECONDS)).astype(np.int64)


def _check_counts(slabs: Sequence[SlabRows], entry: LedgerEntry) -> None:
    rows, frames = sum(len(slab.ids) for slab in slabs), [int(slab.frames.sum()) for slab in slabs]
    if rows != entry.rows:
        raise Damage(f"has {rows} rows, but its entry says {entry.rows}")
    if frames != list(entry.slabs) or sum(frames) != entry.frames:
        raise Damage(f"has slabs of {frames} frames, but its entry says {list(entry.slabs)}, {entry.frames} in all")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
