"""The files that a path, a URI or a pattern names, on any file system."""

from __future__ import annotations

import glob
import itertools
import math
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow.fs as pafs

from ssl_asr.store import filesystem
from ssl_asr.store.retry import retried

MOST_NAMES = 1_000_000  # that braces may stand for
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{(?!\])([^{}]*,[^{}]*)\}")  # "[{]" is a brace as it is
_SIGNS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]")


@dataclass(frozen=True)
class FoundFile:
    """A file with what shows that it has changed."""

    uri: str
    size: int
    mtime_ns: int

    @property
    def stamp(self) -> str:
        """Another where the file is."""
        return f"{self.size} bytes of {self.mtime_ns}"


def matching_files(pattern: str) -> list[FoundFile]:
    """The files that `pattern` names, sorted; none where there are none. What exists by this name is no pattern.

    * ? and [ ] stand for characters of one name, ** for folders too; none stands for names that begin with a dot.
    {000..123} stands for each of these numbers and {a,b} for each of these words: ValueError where some of them are
    there and others are not, or where they are more than MOST_NAMES.
    """
    names = in_full(pattern)
    if (whole := _matching(pattern)) or len(names) == 1:
        return whole
    found = _listed(names)
    _check_all_there(pattern, names, found)
    return sorted({file.uri: file for files in found.values() for file in files}.values(), key=lambda file: file.uri)


def matching_paths(pattern: str) -> list[str]:
    """As `matching_files`, the absolute paths of files and folders of this machine."""
    pattern = filesystem.resolve(pattern)[1]
    names = in_full(pattern)
    if (whole := _paths(pattern)) or len(names) == 1:
        return whole
    found = {name: _paths(name) for name in names}
    _check_all_there(pattern, names, found)
    return sorted({path for paths in found.values() for path in paths})


@retried
def files_below(folder: str) -> list[FoundFile]:
    """Every file below a folder of an object store, sorted; none where there is no such folder."""
    with filesystem.reaching(folder):
        return _below(folder, deep=True)


def is_pattern(path: str) -> bool:
    """Whether there are signs in it that stand for others. What exists by this name is no pattern."""
    return bool(_SIGNS.search(path) or _BRACES.search(path)) and not filesystem.exists(path)


def in_folder(path: str) -> str:
    """The folder or folders that a path names, as the beginning of a pattern."""
    folder = path.rstrip("/")
    return folder if is_pattern(path) else escaped(folder)


def escaped(path: str) -> str:
    """A pattern that stands for this name alone, whatever signs are in it."""
    return glob.escape(path).replace("{", "[{]")


def root_of(pattern: str) -> str:
    """The folder above the first sign of a pattern; "" for that of the root."""
    signs = [sign.start() for sign in (_SIGNS.search(pattern), _BRACES.search(pattern)) if sign]
    return pattern[: min(signs, default=len(pattern))].rpartition("/")[0]


def is_hidden(path: str) -> bool:
    """Whether a file or folder in a relative path begins with a dot, as what macOS adds: ._talk.flac."""
    return any(name.startswith(".") for name in path.split("/"))


def in_full(pattern: str) -> list[str]:
    """All that a pattern with braces stands for, each once; other signs stay as they are.

    ValueError if they are more than MOST_NAMES.
    """
    if not _count(pattern) <= MOST_NAMES:  # of infinities it is no number
        raise ValueError(f"{pattern}: its braces stand for more than {MOST_NAMES:,} names; write * in their place")
    return _in_full(pattern)


def _in_full(pattern: str) -> list[str]:
    parts = [[pattern]]
    if braces := _BRACES.search(pattern):
        first, last, words = braces.groups()
        inside = words.split(",") if words is not None else _numbers(first, last)
        parts = [[pattern[: braces.start()]], inside, _in_full(pattern[braces.end() :])]
    return list(dict.fromkeys(map("".join, itertools.product(*parts))))


def _count(pattern: str) -> float:
    """How many names its braces stand for. As floats, which are not limited in digits."""
    counts = (
        words.count(",") + 1 if words is not None else abs(float(last) - float(first)) + 1
        for first, last, words in (braces.groups() for braces in _BRACES.finditer(pattern))
    )
    return math.prod(counts)


def _numbers(first: str, last: str) -> list[str]:
    """As a shell writes them: as wide as the wider one if one begins with 0."""
    width = max(len(first), len(last)) if first.startswith("0") or last.startswith("0") else 0
    step = 1 if int(first) <= int(last) else -1
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]


def _check_all_there(pattern: str, names: list[str], found: Mapping[str, Collection[object]]) -> None:
    """ValueError if some of the names are found and others are not."""
    missing = [name for name in names if not found[name]]
    if missing and len(missing) < len(names):
        raise ValueError(
            f"{pattern}: {len(missing)} of its {len(names)} files are not there, the first of them is {missing[0]}; "
            "fetch them or correct the pattern"
        )


def _listed(names: list[str]) -> dict[str, list[FoundFile]]:
    """The files of each name; their folders are listed once."""
    folders: dict[str, dict[str, tuple[int, int]]] = {}
    found = {}
    for name in names:
        path = name if "://" in name else filesystem.resolve(name)[1]
        folder, _, base = path.rpartition("/")
        if _SIGNS.search(path):
            found[name] = _matching(path)
            continue
        if folder not in folders:
            folders[folder] = filesystem.sizes_and_times(folder)
        found[name] = [FoundFile(path, *folders[folder][base])] if base in folders[folder] else []
    return found


@retried
def _matching(pattern: str) -> list[FoundFile]:
    if "://" not in pattern:
        return [file for name in _paths(filesystem.resolve(pattern)[1]) for file in _files(name)]
    with filesystem.reaching(pattern):
        sign = _SIGNS.search(pattern)
        if sign is None or ("[" in pattern and _files(pattern)):
            return _files(pattern)
        folder = pattern[: sign.start()].rpartition("/")[0]
        wanted = _matcher(pattern[len(folder) :])
        deep = "/" in pattern[sign.start() :] or "**" in pattern
        found = [file for file in _below(folder, deep=deep) if wanted.fullmatch(file.uri[len(folder) :])]
        asks_for_hidden = is_hidden(pattern[len(folder) + 1 :])
        return [file for file in found if asks_for_hidden or not is_hidden(file.uri[len(folder) + 1 :])]


def _paths(path: str) -> list[str]:
    return [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))


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
    inside = sign[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
