"""Cuts the shards of one bucket of a split from its partition of every piece: what an actor does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import version_of
from ssl_asr.corpus.augment.conditions import in_conditions
from ssl_asr.corpus.bucket_rows import BucketRows, SplitRows
from ssl_asr.corpus.manifest_shards import WrittenShard, read_shard, write_shard
from ssl_asr.corpus.sharding import Recordings, plan_shards
from ssl_asr.corpus.shuffle import AUDIO_VERSION, BUCKETS, SEGMENTS_AGAIN, buckets_store, shard_number
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger import LedgerEntry, Shard, checksum
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SCHEMA

# Statistics of a bucket's entry: its shards' numbers, and those that the cutting under way leaves as they are.
_SHARDS, _KEPT = "shards", "kept"
PARALLEL_WRITES = 8


class BucketJob:
    """Called with a bucket's number, publishes its shards and then, in its entry, which they are."""

    def __init__(
        self,
        recipe: Recipe,
        split: str,
        buckets: int,
        *,
        shard_parents: Inputs,
        parents: Mapping[Shard, Inputs],
        is_ordered: bool,
    ) -> None:
        """`parents` of each bucket; `is_ordered` where the source gives the order of each speaker's utterances."""
        self.recipe, self.buckets, self.is_ordered = recipe, buckets, is_ordered
        self.shard_parents, self.parents = dict(shard_parents), parents
        self.manifest, self.store = ShardStore(recipe.run, MANIFEST), buckets_store(recipe.run)
        self.rows = SplitRows.of(recipe.run, split)

    def __call__(self, shard: Shard) -> None:
        corpus = self.recipe.corpus
        found = self.rows.of_bucket(shard, is_ordered=self.is_ordered)
        audio = AudioOfRows(found.rows)
        rows = found.rows.drop_columns([AUDIO_VERSION])
        recordings = Recordings.of(in_conditions(rows, shard.split, corpus, self.recipe.seed))
        held = self._held(shard)
        before = {
            (number - shard.number) // self.buckets: written.rows
            for number, written in self._former(shard, self._candidates(shard, held))
            if written.audio_version == audio.version(written.rows)
        }
        kept, new = plan_shards(recordings, before, corpus.shard_minutes, corpus.slab_minutes)
        numbers = {place: shard_number(shard.number, place, self.buckets) for place in (*kept, *new)}
        # Whoever goes on after a kill finds the shards of both, and deletes what is left over.
        self._note(shard, sorted({*held, *numbers.values()}), self._underway(shard), kept=[numbers[n] for n in kept])
        self._write({Shard(shard.split, numbers[place]): slabs for place, slabs in new.items()}, audio)
        for number in set(held) - set(numbers.values()):
            filesystem.delete(self.manifest.ledger_uri(Shard(shard.split, number)))
            filesystem.delete(self.manifest.uri(Shard(shard.split, number)))
        self._note(shard, sorted(numbers.values()), self.parents[shard], cut=replace(found, rows=rows))

    def _write(self, shards: Mapping[Shard, Sequence[pa.Table]], audio: AudioOfRows) -> None:
        """Several at a time, for most of the time is that of the disk or of the bucket."""

        def write(shard: Shard, slabs: Sequence[pa.Table]) -> None:
            write_shard(self.manifest, shard, slabs, self.shard_parents, audio.version(pa.concat_tables(slabs)))

        with ThreadPoolExecutor(PARALLEL_WRITES) as pool:
            list(pool.map(write, shards.keys(), shards.values()))

    def _held(self, shard: Shard) -> list[int]:
        """Numbers of the shards that an earlier attempt, or an earlier version of this program, may have written."""
        entry = self.store.entry(shard)
        if entry is not None:
            return [int(number) for number in entry.statistics[_SHARDS]]
        return self.manifest.index(shard.split).numbers.tolist() if self.buckets == 1 else []

    def _candidates(self, shard: Shard, held: Sequence[int]) -> Sequence[int]:
        """Those of `held` that may stay as they are. Where the same cutting was killed, those that it kept: shards
        that it has written are written again, and the result is that of an uninterrupted one."""
        entry = self.store.entry(shard)
        if entry is None or dict(entry.parents) != self._underway(shard):
            return held
        return [int(number) for number in entry.statistics[_KEPT]]

    def _underway(self, shard: Shard) -> dict[str, str]:
        return {**self.parents[shard], "state": "underway"}

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
        kept: Sequence[int] = (),
        cut: BucketRows | None = None,
    ) -> None:
        """Of a bucket that is `cut`, or of one that is being cut."""
        rows = SCHEMA.empty_table() if cut is None else cut.rows
        sentences = "".join(f"{text}\n" for text in rows["text"].to_pylist() if text).encode()
        statistics = {
            _SHARDS: list(numbers),
            **({_KEPT: list(kept)} if cut is None else {SEGMENTS_AGAIN: cut.segments}),
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
            rejects=() if cut is None else cut.later_uses,
        )
        if cut is not None:
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
