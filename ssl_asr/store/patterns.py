"""The files that a path, a URI or a pattern names, on any file system."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass

import pyarrow.fs as pafs

from ssl_asr.store import filesystem
from ssl_asr.store.retry import retried

_SIGNS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]")


@dataclass(frozen=True)
class FoundFile:
    """A file with what shows that it has changed."""

    uri: str
    size: int
    mtime_ns: int


@retried
def matching_files(pattern: str) -> list[FoundFile]:
    """The files that `pattern` names, sorted; none where there are none. What exists by this name is no pattern.

    * ? and [ ] stand for characters of one name, ** for folders too.
    """
    if "://" not in pattern:
        path = filesystem.resolve(pattern)[1]
        names = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))
        return [file for name in names for file in _files(name)]
    with filesystem.reaching(pattern):
        sign = _SIGNS.search(pattern)
        if sign is None or ("[" in pattern and _files(pattern)):
            return _files(pattern)
        folder = pattern[: sign.start()].rpartition("/")[0]
        wanted = _matcher(pattern[len(folder) :])
        deep = "/" in pattern[sign.start() :] or "**" in pattern
        return [file for file in _below(folder, deep=deep) if wanted.fullmatch(file.uri[len(folder) :])]


def _files(uri: str) -> list[FoundFile]:
    fs, path = filesystem.resolve(uri)
    info = fs.get_file_info(path)
    return [FoundFile(uri, info.size, info.mtime_ns or 0)] if info.type == pafs.FileType.File else []


def _below(folder: str, *, deep: bool) -> list[FoundFile]:
    fs, path = filesystem.resolve(folder)
    found = fs.get_file_info(pafs.FileSelector(path, recursive=deep, allow_not_found=True))
    files = (info for info in found if info.type == pafs.FileType.File)
    return sorted(
        (FoundFile(folder + info.path[len(path.rstrip("/")) :], info.size, info.mtime_ns or 0) for info in files),
        key=lambda file: file.uri,
    )


def _matcher(pattern: str) -> re.Pattern[str]:
    parts, at = [], 0
    for sign in _SIGNS.finditer(pattern):
        parts += [re.escape(pattern[at : sign.start()]), _expression(sign[0])]
        at = sign.end()
    return re.compile("".join([*parts, re.escape(pattern[at:])]))


def _expression(sign: str) -> str:
    plain = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if sign in plain:
        return plain[sign]
    inside = sign[1:-1].replace("\\", "\\\\")
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
