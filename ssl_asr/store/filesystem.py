"""Reads and writes whole files on any file system of pyarrow, named by one URI or local path.

`runs/demo`, `s3://bucket/run` and `gs://bucket/run` are all roots. A write is atomic: a reader sees the old file, the
new file or none, never a part of one, whatever is killed. Every function waits and tries again while an object
store (`object_stores.py`) does not answer (`retry.py`), and raises OSError after that.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs

from ssl_asr.store.errors import is_unreachable, reaching
from ssl_asr.store.object_stores import open_store, unusable
from ssl_asr.store.retry import retried

# In the name of a file that is being written; only a killed writer leaves such a file.
TEMPORARY = ".tmp-"
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_TEMPORARY_NAME = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{8}$")


def is_uri(name: str) -> bool:
    """Whether `name` begins with a scheme, such as s3://; anything else is a local path."""
    return _SCHEME.match(name) is not None


def is_file_uri(name: str) -> bool:
    return name[:7].lower() == "file://"


def resolve(uri: str) -> tuple[pafs.FileSystem, str]:
    """Split `uri` into a file system and a path on it; a bare path is local and made absolute.

    What follows a bucket is a key as it is, as for the tools of the clouds: spaces, #, ? and % stand for themselves.
    In a file:// URI %20 is a space. ValueError naming the schemes that can be used, for any other URI.
    """
    if not is_uri(uri):
        return pafs.LocalFileSystem(), str(Path(os.path.expanduser(uri)).absolute())
    if not is_file_uri(uri):
        return open_store(uri)
    place, slash, path = uri.partition("://")[2].partition("/")
    if not slash or place not in ("", "localhost"):
        raise unusable(uri, "three slashes begin the path of a local file")
    return pafs.LocalFileSystem(), str(Path("/", unquote(path)))


def absolute(uri: str) -> str:
    """`uri` with an absolute local path, because Ray workers change their directory."""
    return uri if is_uri(uri) else resolve(uri)[1]


def join(root: str, *parts: str) -> str:
    """`parts` are names or relative paths."""
    # Only there a percent sign stands for more than itself.
    names = [part.replace("%", "%25") for part in parts] if is_file_uri(root) else parts
    return "/".join([root.rstrip("/"), *names])


def exists(uri: str) -> bool:
    return _info(uri).type != pafs.FileType.NotFound


def modified(uri: str) -> float | None:
    """Time of the file's last write, in seconds since 1970; None if there is no file."""
    nanoseconds = _info(uri).mtime_ns
    return None if nanoseconds is None else nanoseconds / 1e9


@retried
def read_bytes(uri: str, size: int | None = None) -> bytes:
    """The file's bytes, or the first `size` of them.

    ValueError naming the file where there is none, OSError where the store can't be reached.
    """
    with reading(uri) as stream:
        data: bytes = stream.read(size)
        return data


@contextmanager
def reading(uri: str) -> Iterator[pa.NativeFile]:
    """The file, open to be read piece by piece; errors as of `read_bytes`, also while the block reads."""
    filesystem, path = resolve(uri)
    try:
        with reaching(uri), filesystem.open_input_file(path) as stream:
            yield stream
    except OSError as error:
        if is_unreachable(error):
            raise
        raise ValueError(f"{uri} cannot be read ({error}); run the stage that writes it") from error


def write_bytes(uri: str, data: bytes) -> None:
    """Publish `data` at `uri` atomically: by rename on a disk, by one PUT on an object store."""
    write_pieces(uri, lambda: [data])


@retried
def write_pieces(uri: str, pieces: Callable[[], Iterable[bytes]]) -> None:
    """The same of a file in pieces, which are asked for again where the store has not taken them."""
    filesystem, path = resolve(uri)
    if not isinstance(filesystem, pafs.LocalFileSystem):
        with reaching(uri), filesystem.open_output_stream(path, compression=None) as stream:
            for piece in pieces():
                stream.write(piece)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}{TEMPORARY}{uuid.uuid4().hex[:8]}"
    with open(temporary, "wb") as stream:
        stream.writelines(pieces())
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def make_folder(uri: str) -> None:
    """The folder that files are to be written to: before long work, so that what is wrong with it is told in time.

    ValueError in one sentence where there can't be one. A bucket has no folders.
    """
    filesystem, path = resolve(uri)
    if not isinstance(filesystem, pafs.LocalFileSystem):
        return
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        if os.path.exists(path):
            raise ValueError(f"{uri} is a file; name a folder") from None
        raise ValueError(f"the folder {uri} can't be made ({error.strerror}); name another one") from None
    if not os.access(path, os.W_OK):
        raise ValueError(f"nothing can be written to {uri}; change its permissions or name another folder")


def write_if_changed(uri: str, data: bytes) -> None:
    """Publish `data` unless the file holds just that: its time tells what has changed."""
    if not exists(uri) or read_bytes(uri) != data:
        write_bytes(uri, data)


def is_temporary(name: str) -> bool:
    """Whether this is the name of an unfinished file."""
    return _TEMPORARY_NAME.search(name) is not None


@retried
def list_files(uri: str, suffix: str = "") -> list[str]:
    """Sorted URIs of all files below `uri` whose names end in `suffix`; temporary files are left out."""
    filesystem, path = resolve(uri)
    path = path.rstrip("/")
    with reaching(uri):
        local = isinstance(filesystem, pafs.LocalFileSystem)
        found = _local_files(path) if local else _stored_files(filesystem, path)
        names = sorted(name for name in found if name.endswith(suffix) and not is_temporary(name))
    return [join(uri, name[len(path) + 1 :]) for name in names]


def _local_files(path: str) -> Iterator[str]:
    """Without a look at each file, which takes most of the time where there are millions."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # a folder may vanish after it was found
            raise error

    for folder, _, names in os.walk(path, onerror=failed, followlinks=True):
        yield from (f"{folder}/{name}" for name in names)


def _stored_files(filesystem: pafs.FileSystem, path: str) -> Iterator[str]:
    found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
    return (info.path for info in found if info.type == pafs.FileType.File)


@retried
def sizes_and_times(folder: str) -> dict[str, tuple[int, int]]:
    """Bytes and time of the last write (ns since 1970) of every file directly in `folder`, by name."""
    filesystem, path = resolve(folder)
    with reaching(folder):
        found = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return {info.base_name: (info.size, info.mtime_ns) for info in found if info.type == pafs.FileType.File}


def size_and_time(uri: str) -> tuple[int, int] | None:
    """The same of one file; None if there is none."""
    info = _info(uri)
    return (info.size, info.mtime_ns) if info.type == pafs.FileType.File else None


@retried
def list_folders(uri: str) -> list[str]:
    """Sorted names of the folders directly below `uri`."""
    filesystem, path = resolve(uri)
    with reaching(uri):
        found = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name for info in found if info.type == pafs.FileType.Directory)


@retried
def delete(uri: str) -> None:
    """Remove the file or directory tree at `uri`, if there is one."""
    filesystem, path = resolve(uri)
    # Another process may have been faster: a writer renames its temporary file.
    with reaching(uri), suppress(FileNotFoundError):
        kind = filesystem.get_file_info(path).type
        if kind == pafs.FileType.Directory:
            filesystem.delete_dir(path)
        elif kind == pafs.FileType.File:
            filesystem.delete_file(path)


@retried
def _info(uri: str) -> pafs.FileInfo:
    filesystem, path = resolve(uri)
    with reaching(uri):
        return filesystem.get_file_info(path)
