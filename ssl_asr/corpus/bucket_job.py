"""Cuts the shards of one bucket of a split from its partition of every piece: what an actor does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import version_of
from ssl_asr.corpus.augment.conditions import in_conditions
from ssl_asr.corpus.duplicates import id_hashes
from ssl_asr.corpus.manifest_shards import WrittenShard, read_shard, write_shard
from ssl_asr.corpus.sharding import Recordings, changes, plan_shards
from ssl_asr.corpus.shuffle import AUDIO_VERSION, BUCKETS, buckets_store, later_uses_store, pieces_store, shard_number
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.partitions import partition_rows, read_partitions
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SCHEMA

_SHARDS = "shards"  # statistic of a bucket's entry: its shards' numbers
_AGAIN = "this id was used before; ids must be unique in a split"
_UNDERWAY = {"state": "underway"}


class BucketJob:
    """Called with a bucket's number, publishes its shards and then, in its entry, which they are."""

    def __init__(
        self, recipe: Recipe, buckets: int, *, shard_parents: Inputs, parents: Inputs, is_ordered: bool
    ) -> None:
        """`parents` of the bucket; `is_ordered` where the source gives the order of each speaker's utterances."""
        self.recipe, self.buckets, self.is_ordered = recipe, buckets, is_ordered
        self.shard_parents, self.parents = dict(shard_parents), dict(parents)
        self.manifest, self.store = ShardStore(recipe.run, MANIFEST), buckets_store(recipe.run)

    def __call__(self, shard: Shard) -> None:
        corpus = self.recipe.corpus
        rows, again = bucket_rows(self.recipe.run, shard, is_ordered=self.is_ordered)
        audio = AudioOfRows(rows)
        rows = rows.drop_columns([AUDIO_VERSION])
        recordings = Recordings.of(in_conditions(rows, shard.split, corpus, self.recipe.seed))
        held = self._held(shard)
        before = {
            (number - shard.number) // self.buckets: written.rows
            for number, written in self._former(shard, held)
            if written.audio_version == audio.version(written.rows)
        }
        kept, new = plan_shards(recordings, before, corpus.shard_minutes, corpus.slab_minutes)
        numbers = {place: shard_number(shard.number, place, self.buckets) for place in (*kept, *new)}
        # Whoever goes on after a kill finds the shards of both, and deletes what is left over.
        self._note(shard, sorted({*held, *numbers.values()}), _UNDERWAY)
        for place, slabs in new.items():
            version = audio.version(pa.concat_tables(slabs))
            write_shard(self.manifest, Shard(shard.split, numbers[place]), slabs, self.shard_parents, version)
        for number in set(held) - set(numbers.values()):
            filesystem.delete(self.manifest.ledger_uri(Shard(shard.split, number)))
            filesystem.delete(self.manifest.uri(Shard(shard.split, number)))
        self._note(shard, sorted(numbers.values()), self.parents, rows=rows, rejects=again)

    def _held(self, shard: Shard) -> list[int]:
        """Numbers of the shards that an earlier attempt, or an earlier version of this program, may have written."""
        entry = self.store.entry(shard)
        if entry is not None:
            return [int(number) for number in entry.statistics[_SHARDS]]
        return self.manifest.index(shard.split).numbers.tolist() if self.buckets == 1 else []

    def _former(self, shard: Shard, held: Sequence[int]) -> Iterator[tuple[int, WrittenShard]]:
        """What the run holds of the bucket, cut as today; shards that are not whole are left out."""
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            found = pool.map(
                lambda number: read_shard(self.manifest, Shard(shard.split, number), self.shard_parents), held
            )
            yield from ((number, shard) for number, shard in zip(held, found, strict=True) if shard is not None)

    def _note(
        self,
        shard: Shard,
        numbers: Sequence[int],
        parents: Inputs,
        *,
        rows: pa.Table | None = None,
        rejects: Sequence[Reject] = (),
    ) -> None:
        rows = SCHEMA.empty_table() if rows is None else rows
        sentences = "".join(f"{text}\n" for text in rows["text"].to_pylist() if text).encode()
        statistics = {
            _SHARDS: list(numbers),
            BUCKETS: self.buckets,
            "speakers": pc.count_distinct(rows["speaker"]).as_py(),
        }
        seconds = round(float(rows["duration"].to_numpy().sum()), 3)
        entry = LedgerEntry(
            store=self.store.name,
            shard=shard,
            rows=rows.num_rows,
            frames=0,
            seconds=seconds,
            slabs=(),
            checksum=checksum(sentences),
            parents=dict(parents),
            statistics=statistics,
            rejects=tuple(rejects),
        )
        if parents != _UNDERWAY:
            filesystem.write_if_changed(self.store.uri(shard), sentences)
        filesystem.write_bytes(self.store.ledger_uri(shard), entry.to_json())


class AudioOfRows:
    """The versions of changed audio files among the rows of a bucket."""

    def __init__(self, rows: pa.Table) -> None:
        some = rows.filter(pc.not_equal(rows[AUDIO_VERSION], ""))
        self._known = dict(zip(some["audio"].to_pylist(), some[AUDIO_VERSION].to_pylist(), strict=True))

    def version(self, rows: pa.Table) -> str:
        """Of a shard with these rows."""
        if not self._known:
            return ""
        audio = rows["audio"].unique().to_pylist()
        return version_of(map(file_of, audio), (self._known.get(each, "") for each in audio))


def shards_of(run: str, split: str) -> list[int]:
    """Numbers of all shards that were cut, ascending."""
    entries = buckets_store(run).entries(split)
    return sorted(int(number) for entry in entries for number in entry.statistics[_SHARDS])


def buckets_before(run: str, split: str) -> int:
    """How many buckets the last listing had; 0 if there was none."""
    found = buckets_store(run).index(split).statistic(BUCKETS)
    return int(found[0]) if len(found) else 0


def bucket_rows(run: str, shard: Shard, *, is_ordered: bool) -> tuple[pa.Table, list[Reject]]:
    """The utterances of a bucket, in the order of its speakers and of their time, and later uses of an id.

    Without an order of the source's own, a speaker's utterances follow each other by file, start and id.
    """
    table, later = _without_later_uses(run, shard)
    keys = ("speaker", "order", "id") if is_ordered else ("speaker", "audio", "offset", "id")
    rows = table.sort_by([(key, "ascending") for key in keys]).combine_chunks()
    if not is_ordered and rows.num_rows:
        first = changes(rows["speaker"])
        counts = np.diff(np.append(first, rows.num_rows))
        order = np.arange(rows.num_rows) - np.repeat(first, counts)
        rows = rows.set_column(rows.schema.get_field_index("order"), "order", pa.array(order))
    return rows, [Reject(name, _AGAIN) for name in later]


def _without_later_uses(run: str, shard: Shard) -> tuple[pa.Table, list[str]]:
    uses, pieces, split, bucket = later_uses_store(run), pieces_store(run), shard.split, shard.number
    rows = partition_rows(uses, split)
    some = uses.index(split).numbers[rows[:, bucket] > 0].tolist() if len(rows) else []
    later: dict[int, set[bytes]] = {}
    for table in read_partitions(uses, split, some, bucket):
        for row in table.to_pylist():
            later.setdefault(row["piece"], set()).add(row["id"])
    kept, names = [], []
    numbers = pieces.index(split).numbers.tolist()
    for number, table in zip(numbers, read_partitions(pieces, split, numbers, bucket), strict=True):
        if number in later:
            again = np.array([each in later[number] for each in id_hashes(table["id"].to_pylist())])
            names += table.filter(pa.array(again))["id"].to_pylist()
            table = table.filter(pc.invert(pa.array(again)))
        kept.append(table)
    return pa.concat_tables(kept), names
