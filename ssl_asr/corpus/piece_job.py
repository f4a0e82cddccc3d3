"""Reads one piece of a split's source and leaves its utterances for the buckets: what an actor does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import Versions, forget_versions, read_versions, versions_of, write_versions
from ssl_asr.corpus.duplicates import id_table, partitions_of
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.shuffle import AUDIO_VERSION, buckets_of, ids_store, pieces_store
from ssl_asr.recipe.data import Group
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import publish_partitions
from ssl_asr.store.utterance import Utterance, encode

# Statistics of a piece: what is listed and matches nothing, and seconds by the sampling rate of the files.
UNMATCHED, RATES = "unmatched", "rates"
_VERSION = "2"  # raise where equal pieces leave other files or statistics


@dataclass(frozen=True)
class Source:
    """Where a split comes from.

    `read` gives the usable utterances of a piece, each id once, and its rejects. `inputs` is what it depends on
    beside the pieces' files. `tags` are those of utterances without such tags. `is_ordered` says that it gives the
    order of each speaker's utterances. `changed_audio` names the pieces whose audio has changed since they were read.
    `group` says what a shard holds whole: see `corpus.group` of the recipe.
    """

    pieces: Sequence[Piece]
    read: Callable[[Piece], Reading]
    inputs: Inputs
    tags: Mapping[str, str] = field(default_factory=dict)
    is_ordered: bool = False
    changed_audio: Mapping[str, str] = field(default_factory=dict)
    group: Group = "speaker"

    @property
    def size(self) -> int:
        """Bytes of the lists."""
        return sum(piece.size for piece in self.pieces)

    def parents(self, number: int, buckets: int) -> dict[str, str]:
        """Of a piece, once it is read."""
        return {"piece_version": _VERSION, **self.inputs, **self.pieces[number].inputs(), "buckets": str(buckets)}

    def wanted(self, number: int, buckets: int) -> dict[str, str]:
        """The same, but no piece's own where its audio has changed."""
        audio = self.changed_audio.get(self.pieces[number].name)
        return self.parents(number, buckets) | ({"audio": audio} if audio else {})


class PieceJob:
    """Called with a piece's number, publishes its utterances and the hashes of their ids."""

    def __init__(self, run: str, source: Source, buckets: int) -> None:
        self.run, self.source, self.buckets = run, source, buckets

    def __call__(self, shard: Shard) -> None:
        """ValueError where the piece can't be read at all."""
        piece = self.source.pieces[shard.number]
        reading = self.source.read(piece)
        found, parents = reading.utterances, self.source.parents(shard.number, self.buckets)
        if self.source.group == "recording":
            found = tuple(replace(each, speaker=_recording(each)) for each in found)
        if self.source.group == "source":
            buckets = np.full(len(found), shard.number % self.buckets)
        else:
            buckets = buckets_of([each.speaker for each in found], self.buckets)
        ids = id_table([each.id for each in found], buckets)
        before = read_versions(self.run, shard.split, piece.name)
        versions = versions_of(reading.files, before, keep_gone=False)
        # A finished piece has its ids and the versions of new files, so they come first. Those of changed files come
        # last: until they are there, the next attempt finds the same audio changed.
        if versions:
            write_versions(
                self.run, shard.split, piece.name, {**versions, **{f: before[f] for f in versions if f in before}}
            )
        publish_partitions(
            ids_store(self.run), shard, ids, partitions_of(ids, self.buckets), count=self.buckets, parents=parents
        )
        publish_partitions(
            pieces_store(self.run),
            shard,
            with_versions(encode(found, self.source.tags), versions),
            buckets,
            count=self.buckets,
            parents=parents,
            seconds=sum(each.duration for each in found),
            statistics={UNMATCHED: dict(reading.counts), RATES: dict(reading.rates)},
            rejects=reading.rejects,
        )
        if versions:
            write_versions(self.run, shard.split, piece.name, versions)
        else:
            forget_versions(self.run, shard.split, piece.name)


def _recording(utterance: Utterance) -> str:
    """A name for the talker of one channel of an audio file."""
    return f"{utterance.audio}#{utterance.channel}" if utterance.channel else utterance.audio


def with_versions(rows: pa.Table, versions: Versions) -> pa.Table:
    """With a column of the version of each row's audio file; empty where it has not changed since it was new."""
    files = (file_of(audio) for audio in rows["audio"].to_pylist())
    known = [versions[file].version if file is not None and file in versions else "" for file in files]
    return rows.append_column(AUDIO_VERSION, pa.array(known, pa.string()))
