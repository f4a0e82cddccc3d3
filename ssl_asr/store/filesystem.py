"""Whole files on any file system that pyarrow knows, named by one URI or local path.

`runs/demo`, `s3://bucket/run` and `gs://bucket/run` are all roots. A write is atomic: a reader sees the old
file, the new file or none, never a part, whatever is killed.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pyarrow.fs as pafs

# In the name of a file that is being written; only a writer that was killed leaves one behind.
TEMPORARY = ".tmp-"


def resolve(uri: str) -> tuple[pafs.FileSystem, str]:
    """Split `uri` into a file system and a path on it; a bare path is local and made absolute."""
    if "://" not in uri:
        return pafs.LocalFileSystem(), str(Path(uri).expanduser().absolute())
    return pafs.FileSystem.from_uri(uri)


def absolute(uri: str) -> str:
    """`uri` with a local path made absolute, so that Ray workers, which change directory, agree on it."""
    return uri if "://" in uri else resolve(uri)[1]


def join(root: str, *parts: str) -> str:
    return "/".join([root.rstrip("/"), *parts])


def exists(uri: str) -> bool:
    filesystem, path = resolve(uri)
    return filesystem.get_file_info(path).type != pafs.FileType.NotFound


def read_bytes(uri: str) -> bytes:
    """The file's bytes; ValueError naming the file where there is none."""
    filesystem, path = resolve(uri)
    try:
        with filesystem.open_input_file(path) as stream:
            return stream.read()
    except (FileNotFoundError, OSError) as error:
        raise ValueError(f"{uri} cannot be read ({error}); run the stage that writes it") from error


def write_bytes(uri: str, data: bytes) -> None:
    """Publish `data` at `uri` atomically: by rename on a disk, by one PUT on an object store."""
    filesystem, path = resolve(uri)
    if not isinstance(filesystem, pafs.LocalFileSystem):
        with filesystem.open_output_stream(path) as stream:
            stream.write(data)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}{TEMPORARY}{uuid.uuid4().hex[:8]}"
    with open(temporary, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def list_files(uri: str, suffix: str = "") -> list[str]:
    """Sorted URIs of all files below `uri` whose names end in `suffix`; temporary files are left out."""
    filesystem, path = resolve(uri)
    selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
    below = (info.path for info in filesystem.get_file_info(selector) if info.type == pafs.FileType.File)
    names = sorted(name for name in below if name.endswith(suffix) and TEMPORARY not in name)
    return [uri.rstrip("/") + name[len(path.rstrip("/")) :] for name in names]


def delete_temporary(uri: str) -> int:
    """Remove the unfinished files of killed writers below `uri`; returns how many there were."""
    filesystem, path = resolve(uri)
    selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
    stray = [info.path for info in filesystem.get_file_info(selector) if TEMPORARY in info.base_name]
    for name in stray:
        filesystem.delete_file(name)
    return len(stray)


def delete(uri: str) -> None:
    """Remove the file or directory tree at `uri`, if there is one."""
    filesystem, path = resolve(uri)
    kind = filesystem.get_file_info(path).type
    if kind == pafs.FileType.Directory:
        filesystem.delete_dir(path)
    elif kind == pafs.FileType.File:
        filesystem.delete_file(path)
