"""Transcribing more audio than one process can: inputs in shards, and a job that makes the transcripts of one.

All is kept below one folder as in a run: `inputs/all/000000.parquet` and `transcripts/all/000000.parquet`, each with
its entry in the ledger, so that what is finished is not done again, and nothing is done twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa

from ssl_asr.recipe.identity import digest
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.serving.adapting import EngineOptions, open_engine
from ssl_asr.serving.description import DESCRIPTION
from ssl_asr.serving.transcribing.formats.plain import as_json
from ssl_asr.serving.transcribing.inputs import AudioInput, Found, audio_inputs
from ssl_asr.serving.transcribing.transcriber import Transcriber
from ssl_asr.serving.transcribing.transcript import Transcript
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject, Shard, checksum
from ssl_asr.store.shards import ShardStore

INPUTS, TRANSCRIPTS, SPLIT = "inputs", "transcripts", "all"
VERSION = "2"  # raise where equal inputs give other transcripts
_INPUT = pa.schema(
    [
        ("name", pa.string()),
        ("uri", pa.string()),
        ("offset", pa.float64()),
        ("duration", pa.float64()),
        ("channel", pa.int16()),
    ]
)
# `transcript` is what `--format json` writes.
_TRANSCRIPT = pa.schema(
    [
        ("name", pa.string()),
        ("uri", pa.string()),
        ("seconds", pa.float64()),
        ("text", pa.string()),
        ("transcript", pa.string()),
    ]
)


@dataclass(frozen=True)
class Listing:
    """How many inputs the user's words named, and how many shards they fill."""

    key: str
    inputs: int
    rejected: int
    shards: int


def list_inputs(out: str, words: Sequence[str], *, channel: int, shard_inputs: int) -> Listing:
    """Write the shards of inputs, unless that was finished; ValueError if `out` has those of other words."""
    uri, key = filesystem.join(out, "listing.json"), digest([*words, str(channel), str(shard_inputs)])
    if filesystem.exists(uri):
        listing = Listing(**json.loads(filesystem.read_bytes(uri)))
        if listing.key != key:
            raise ValueError(f"{out} holds transcripts of other audio; give another folder, or delete {out}")
        return listing
    store, inputs, rejected, number = ShardStore(out, INPUTS), 0, 0, 0
    found = _once(audio_inputs(words, channel))
    for number, some in enumerate(iter(lambda: list(islice(found, shard_inputs)), []), 1):
        rows = [each for each in some if isinstance(each, AudioInput)]
        rejects = [each for each in some if isinstance(each, Reject)]
        slabs = _slabs([asdict(row) for row in rows], _INPUT)
        store.publish(
            Shard(SPLIT, number - 1),
            _INPUT,
            slabs,
            list(map(len, slabs)),
            seconds=0.0,
            parents={"version": VERSION},
            metadata={},
            rejects=rejects,
        )
        inputs, rejected = inputs + len(rows), rejected + len(rejects)
    listed = [Shard(SPLIT, each) for each in range(number)]
    for each in (INPUTS, TRANSCRIPTS):  # a listing that was killed may have found more
        ShardStore(out, each).keep_only(SPLIT, listed)
    listing = Listing(key, inputs, rejected, number)
    filesystem.write_bytes(uri, json.dumps(asdict(listing)).encode())
    return listing


def delete_leftovers(out: str) -> int:
    """The unfinished files of killed writers; returns their number."""
    return sum(ShardStore(out, each).delete_temporary() for each in (INPUTS, TRANSCRIPTS))


def _once(found: Found) -> Found:
    """Without audio that was there before. Hashes of 64 bits stand for it, so that millions fit into memory."""
    seen = set[int]()
    for each in found:
        if isinstance(each, Reject):
            yield each
        elif (mark := hash((each.uri, each.offset, each.duration, each.channel))) not in seen:
            seen.add(mark)
            yield each


@dataclass(frozen=True)
class BulkOptions:
    """`out` and the files of `engine` are reached from all machines."""

    out: str
    engine: EngineOptions
    alternatives: int = 0

    def parents(self) -> dict[str, str]:
        """What every shard of transcripts is made by; the files are read, so that is asked once."""
        files = [str(Path(self.engine.bundle, DESCRIPTION)), self.engine.hotwords, self.engine.lm]
        contents = [checksum(filesystem.read_bytes(file)) if file else "" for file in files]
        made_by = digest([*contents, str(self.engine.int8), str(self.alternatives)])
        return {"version": VERSION, "engine": made_by}


class TranscribeJob(ShardMaker):
    """What an actor does with one shard of inputs."""

    def __init__(self, options: BulkOptions) -> None:
        super().__init__(ShardStore(options.out, INPUTS), ShardStore(options.out, TRANSCRIPTS))
        self._parents = options.parents()
        self._transcriber = Transcriber(
            open_engine(options.engine, lambda _: None), alternatives=options.alternatives
        )

    def parents(self, source: SourceShard) -> dict[str, str]:
        return {**self._parents, "inputs": source.checksum}

    def make(self, shard: Shard) -> ShardContent:
        """Audio that can't be transcribed is among the rejects."""
        rows, rejects, seconds = list[dict[str, object]](), list[Reject](), 0.0
        for row in self.source.read(shard).to_pylist():
            try:
                transcript = self._transcriber.transcribe(AudioInput(**row))
            except ValueError as error:
                rejects.append(Reject(row["name"], str(error)))
            else:
                rows.append(_row(transcript))
                seconds += transcript.source.seconds
        slabs = _slabs(rows, _TRANSCRIPT)
        return ShardContent(_TRANSCRIPT, slabs, list(map(len, slabs)), seconds, metadata={}, rejects=rejects)


def unfinished(options: BulkOptions) -> list[Shard]:
    """Shards of inputs whose transcripts are not there, or were made by another engine."""
    entries, made_by = ShardStore(options.out, INPUTS).entries(SPLIT), options.parents()
    wanted = {entry.shard: {**made_by, "inputs": entry.checksum} for entry in entries}
    return ShardStore(options.out, TRANSCRIPTS).unfinished(wanted)


@dataclass(frozen=True)
class Outcome:
    transcribed: int
    seconds: float
    rejects: list[Reject] = field(default_factory=list)


def outcome(out: str) -> Outcome:
    """Of all finished shards."""
    inputs, made = ShardStore(out, INPUTS), ShardStore(out, TRANSCRIPTS)
    index = made.index(SPLIT)
    rejects = [*inputs.rejects(SPLIT), *made.rejects(SPLIT)]
    return Outcome(int(index.column("rows").sum()), float(index.column("seconds").sum()), rejects)


def _row(transcript: Transcript) -> dict[str, object]:
    return {
        "name": transcript.name,
        "uri": transcript.source.uri,
        "seconds": transcript.source.seconds,
        "text": transcript.text,
        "transcript": as_json(transcript),
    }


def _slabs(rows: list[dict[str, object]], schema: pa.Schema) -> list[pa.Table]:
    """All rows together; none of no row."""
    return [pa.Table.from_pylist(rows, schema)] if rows else []
