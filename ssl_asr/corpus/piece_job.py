"""Reads one piece of a split's source and leaves its utterances for the buckets: what an actor does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import Versions, forget_versions, read_versions, versions_of, write_versions
from ssl_asr.corpus.duplicates import AGAIN, USED_AGAIN, id_table, partitions_of
from ssl_asr.corpus.long_recordings import listed_piece, publish_long
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.shuffle import AUDIO_VERSION, buckets_of, ids_store, pieces_store
from ssl_asr.recipe.corpus import Group
from ssl_asr.recipe.identity import Inputs
from ssl_asr.runtime.collector import collector_paused
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.partitions import publish_partitions
from ssl_asr.store.utterance import Utterance, encode

# Statistics of a piece: what is listed and matches nothing, seconds by the sampling rate of the files, those that are
# told from a few, how many long recordings it has, and, of a piece of segments, `segment_job.CutCounts`.
UNMATCHED, RATES, ESTIMATED_RATES, LONG, CUT = "unmatched", "rates", "estimated_rates", "long", "cut"
_VERSION = "3"  # raise where equal pieces leave other files or statistics


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
        return sum(piece.listed_bytes for piece in self.pieces)

    def parents(self, number: int, buckets: int) -> dict[str, str]:
        """Of a piece, once it is read."""
        return {"piece_version": _VERSION, **self.inputs, **self.pieces[number].inputs(), "buckets": str(buckets)}

    def wanted(self, number: int, buckets: int) -> dict[str, str]:
        """The same, but no piece's own where its audio has changed."""
        audio = self.changed_audio.get(self.pieces[number].name)
        return self.parents(number, buckets) | ({"audio": audio} if audio else {})


class PieceJob:
    """Called with a piece's number, publishes its utterances, the hashes of their ids, and its long recordings."""

    def __init__(self, run: str, source: Source, buckets: int) -> None:
        self.run, self.source, self.buckets = run, source, buckets

    def __call__(self, shard: Shard) -> None:
        """ValueError where the piece can't be read at all."""
        with collector_paused():
            self._publish(shard)

    def _publish(self, shard: Shard) -> None:
        piece = self.source.pieces[shard.number]
        reading = self.source.read(piece)
        parents = self.source.parents(shard.number, self.buckets)
        before = read_versions(self.run, shard.split, piece.name)
        versions = versions_of(reading.files, before, keep_gone=False)
        # A finished piece has its ids, its long recordings and the versions of new files, so they come first. The
        # versions of changed files come last: until they are there, the next attempt finds the same audio changed.
        if versions:
            write_versions(
                self.run, shard.split, piece.name, {**versions, **{f: before[f] for f in versions if f in before}}
            )
        publish_long(self.run, shard, self._rows(reading.long, versions), parents)
        publish_utterances(
            self.run,
            shard,
            self._rows(reading.utterances, versions),
            self.buckets,
            parents,
            statistics={
                UNMATCHED: dict(reading.counts),
                RATES: dict(reading.rates),
                ESTIMATED_RATES: dict(reading.estimated_rates),
                LONG: len(reading.long),
            },
            rejects=reading.rejects,
            by_piece=self.source.group == "source",
        )
        if versions:
            write_versions(self.run, shard.split, piece.name, versions)
        else:
            forget_versions(self.run, shard.split, piece.name)

    def _rows(self, found: Sequence[Utterance], versions: Versions) -> pa.Table:
        rows = with_versions(encode(found, self.source.tags), versions)
        return _with_recordings_as_speakers(rows) if self.source.group == "recording" else rows


def publish_utterances(
    run: str,
    shard: Shard,
    rows: pa.Table,
    count: int,
    parents: Inputs,
    *,
    statistics: Mapping[str, Any],
    rejects: Sequence[Reject],
    by_piece: bool,
) -> None:
    """The hashes of a piece's ids, and then its utterances, in `count` buckets: those of the speakers, or the one
    `by_piece`."""
    if by_piece:
        buckets = np.full(rows.num_rows, listed_piece(shard.number) % count)
    else:
        named = zip(rows["speaker"].to_pylist(), rows["audio"].to_pylist(), strict=True)
        buckets = buckets_of([_kept_together(*each) for each in named], count)
    ids = id_table(rows["id"].to_pylist(), buckets)
    publish_partitions(ids_store(run), shard, ids, partitions_of(ids, count), count=count, parents=parents)
    again = sum(reject.reason == AGAIN for reject in rejects)
    publish_partitions(
        pieces_store(run),
        shard,
        rows,
        buckets,
        count=count,
        parents=parents,
        seconds=float(rows["duration"].to_numpy().sum()),
        statistics={**statistics, USED_AGAIN: again},
        rejects=rejects,
    )


def _with_recordings_as_speakers(rows: pa.Table) -> pa.Table:
    """Each channel of an audio file has its own."""
    named = zip(rows["audio"].to_pylist(), rows["channel"].to_pylist(), strict=True)
    names = [f"{audio}#{channel}" if channel else audio for audio, channel in named]
    return rows.set_column(rows.schema.get_field_index("speaker"), "speaker", pa.array(names, pa.string()))


def _kept_together(speaker: str, audio: str) -> str:
    """What has one bucket: a speaker; or, where each recording counts as one, the file that holds it.

    So what lies side by side in a tar is read by one task.
    """
    is_recording = speaker == audio or speaker.startswith(f"{audio}#")  # a channel of it
    return file_of(audio) or speaker if is_recording else speaker


def with_versions(rows: pa.Table, versions: Versions) -> pa.Table:
    """With a column of the version of each row's audio file; empty where it has not changed since it was new."""
    known = [""] * rows.num_rows
    if versions:
        files = (file_of(audio) for audio in rows["audio"].to_pylist())
        known = [versions[file].version if file is not None and file in versions else "" for file in files]
    return rows.append_column(AUDIO_VERSION, pa.array(known, pa.string()))
