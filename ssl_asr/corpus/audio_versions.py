"""Which audio files have changed since their split was listed: by size and time.

A file that is no longer there counts as unchanged: nothing reads audio once there are features of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.progress import Progress
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import audio_versions_uri
from ssl_asr.store.file_stamps import stamps_by_folder

_SCHEMA = pa.schema([("file", pa.string()), ("size", pa.int64()), ("modified", pa.int64()), ("version", pa.string())])


class AudioVersion(NamedTuple):
    """Bytes and time of the last write (ns since 1970), -1 where there was no file.

    `version` is empty until the file is changed.
    """

    size: int
    modified: int
    version: str = ""


_FEW = 8  # pieces, of which nobody waits long
_MISSING = AudioVersion(-1, -1)
Versions = Mapping[str, AudioVersion]  # by URI


def versions_of(files: Iterable[str], before: Versions, *, keep_gone: bool = True) -> dict[str, AudioVersion]:
    """Of the files as they are now, given as they were. With `keep_gone`, those that are gone are as they were."""
    known = {file: before.get(file, _MISSING) for file in files}
    found = stamps_by_folder(known)
    if not keep_gone:
        known = {file: _MISSING._replace(version=each.version) for file, each in known.items()}
    return known | {file: _now(*stamp, before.get(file)) for file, stamp in found.items()}


def changed(now: Versions, before: Versions) -> dict[str, str]:
    """The new versions of files that are not as before; those that were not there before are not among them."""
    return {file: each.version for file, each in now.items() if file in before and before[file] != each}


def version_of(files: Iterable[str | None], versions: Iterable[str]) -> str:
    """Of audio files that are these, in these versions; empty if none of them was ever changed."""
    parts = {f"{file} {version}" for file, version in zip(files, versions, strict=True) if version}
    return digest(sorted(parts)) if parts else ""


def read_versions(run: str, split: str, piece: str) -> dict[str, AudioVersion]:
    """As they were when the piece of this name was read; empty if that was not kept."""
    uri = audio_versions_uri(run, split, piece)
    if not filesystem.exists(uri):
        return {}
    columns = pq.read_table(io.BytesIO(filesystem.read_bytes(uri)), schema=_SCHEMA).to_pydict()
    return {file: AudioVersion(*each) for file, *each in zip(*(columns[name] for name in _SCHEMA.names), strict=True)}


def write_versions(run: str, split: str, piece: str, versions: Versions) -> None:
    rows = sorted(versions.items())
    columns = {"file": [file for file, _ in rows]} | {
        name: [getattr(each, name) for _, each in rows] for name in _SCHEMA.names[1:]
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=_SCHEMA), buffer, compression="zstd")
    filesystem.write_bytes(audio_versions_uri(run, split, piece), buffer.getvalue())


def forget_versions(run: str, split: str, piece: str) -> None:
    filesystem.delete(audio_versions_uri(run, split, piece))


def changed_audio(run: str, split: str, pieces: Sequence[str]) -> dict[str, str]:
    """The pieces whose audio has changed since they were read, by name, each with what tells the change from others.

    All files are looked at, those of one piece at a time.
    """
    found = {}
    progress = Progress(f"looking for changed audio of {split}", len(pieces), "parts") if len(pieces) > _FEW else None
    for piece in pieces:
        before = read_versions(run, split, piece)
        if new := changed(versions_of(before, before), before):
            found[piece] = digest([f"{file} {version}" for file, version in sorted(new.items())])
        if progress is not None:
            progress.advance()
    return found


def _now(size: int, modified: int, before: AudioVersion | None) -> AudioVersion:
    if before is None or (before.size, before.modified) == (size, modified):
        return before or AudioVersion(size, modified)
    return AudioVersion(size, modified, digest([f"{size} {modified}"]))
