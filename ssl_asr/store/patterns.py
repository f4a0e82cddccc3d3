"""The files and folders that a path, a URI or a pattern names, on any file system, by one meaning for all commands.

* ? and [ ] stand for characters of one name, and ** for any folders. None of them stands for a name that begins with
a dot. Braces stand for numbers and words (`braces.py`), of which all must be there, or none. What exists by the very
name is no pattern.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.fs as pafs

from ssl_asr.store import filesystem
from ssl_asr.store.braces import BRACES, in_full
from ssl_asr.store.errors import reaching
from ssl_asr.store.retry import retried

ANY_FOLDERS = "**"
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


@dataclass(frozen=True)
class FoundFolder:
    uri: str


Found = FoundFile | FoundFolder


def matching(pattern: str) -> Sequence[Found]:
    """The files and folders that `pattern` names, sorted; none where there are none.

    Of one with ** the files alone, for what is in a folder is then named too. ValueError where some of the names that
    braces stand for are there and others are not, or where they are more than `braces.MOST_NAMES`.
    """
    return _found(pattern, folders=ANY_FOLDERS not in pattern)


def matching_files(pattern: str) -> list[FoundFile]:
    """The same without folders."""
    return [file for file in _found(pattern, folders=False) if isinstance(file, FoundFile)]


def matching_paths(pattern: str) -> list[str]:
    """As `matching`, the absolute paths of files and folders of this machine; also folders and links with **."""
    pattern = filesystem.resolve(pattern)[1]
    names = in_full(pattern)
    if (whole := _paths(pattern)) or len(names) == 1:
        return whole
    found = {name: _paths(name) for name in names}
    _check_all_there(pattern, names, found)
    return sorted({path for paths in found.values() for path in paths})


@retried
def files_below(folder: str) -> list[FoundFile]:
    """Every file below a folder of an object store, sorted, but hidden ones; none where there is no such folder."""
    with reaching(folder):
        below = _below(folder, deep=True)
    return [each for each in below if isinstance(each, FoundFile) and not is_hidden(each.uri[len(folder) + 1 :])]


def is_pattern(path: str) -> bool:
    """Whether there are signs in it that stand for others. What exists by this name is no pattern."""
    return bool(_SIGNS.search(path) or BRACES.search(path)) and not filesystem.exists(path)


def in_folder(path: str) -> str:
    """The folder or folders that a path names, as the beginning of a pattern."""
    folder = path.rstrip("/")
    return folder if is_pattern(path) else escaped(folder)


def escaped(path: str) -> str:
    """A pattern that stands for this name alone, whatever signs are in it."""
    return glob.escape(path).replace("{", "[{]")


def root_of(pattern: str) -> str:
    """The folder above the first sign of a pattern; "" for that of the root."""
    signs = [sign.start() for sign in (_SIGNS.search(pattern), BRACES.search(pattern)) if sign]
    return pattern[: min(signs, default=len(pattern))].rpartition("/")[0]


def is_hidden(path: str) -> bool:
    """Whether a file or folder in a relative path begins with a dot, as what macOS adds: ._talk.flac."""
    return any(name.startswith(".") and name not in (".", "..") for name in path.split("/"))


def _found(pattern: str, *, folders: bool) -> list[Found]:
    names = in_full(pattern)
    if (whole := _matching(pattern, folders)) or len(names) == 1:
        return whole
    found = _listed(names, folders)
    _check_all_there(pattern, names, found)
    return sorted({each.uri: each for every in found.values() for each in every}.values(), key=lambda each: each.uri)


def _check_all_there(pattern: str, names: Sequence[str], found: Mapping[str, Collection[object]]) -> None:
    """ValueError if some of the names are found and others are not."""
    missing = [name for name in names if not found[name]]
    if missing and len(missing) < len(names):
        raise ValueError(
            f"{pattern}: {len(missing)} of its {len(names)} files are not there, the first of them is {missing[0]}; "
            "fetch them or correct the pattern"
        )


def _listed(names: Sequence[str], folders: bool) -> dict[str, list[Found]]:
    """What each name stands for; the folders that names are in are listed once."""
    inside: dict[str, dict[str, Found]] = {}
    found = {}
    for name in names:
        path = (name if "://" in name else filesystem.resolve(name)[1]).rstrip("/")
        folder = path.rpartition("/")[0]
        if _SIGNS.search(path):
            found[name] = _matching(path, folders)
            continue
        if folder not in inside:
            inside[folder] = _inside(folder)
        each = inside[folder].get(path)
        found[name] = [each] if each and (folders or isinstance(each, FoundFile)) else []
    return found


@retried
def _inside(folder: str) -> dict[str, Found]:
    with reaching(folder):
        return {each.uri: each for each in _below(folder, deep=False)}


@retried
def _matching(pattern: str, folders: bool) -> list[Found]:
    if "://" not in pattern:
        return [each for name in _paths(filesystem.resolve(pattern)[1]) for each in _at(name, folders)]
    with reaching(pattern):
        sign = _SIGNS.search(pattern)
        if sign is None or ("[" in pattern and _at(pattern, folders)):
            return _at(pattern, folders)
        folder = pattern[: sign.start()].rpartition("/")[0]
        wanted = _matcher(pattern[len(folder) :])
        deep = "/" in pattern[sign.start() :] or ANY_FOLDERS in pattern
        found = [each for each in _below(folder, deep=deep) if wanted.fullmatch(each.uri[len(folder) :])]
        asks_for_hidden = is_hidden(pattern[len(folder) + 1 :])
        return [
            each
            for each in found
            if (folders or isinstance(each, FoundFile))
            and (asks_for_hidden or not is_hidden(each.uri[len(folder) + 1 :]))
        ]


def _paths(path: str) -> list[str]:
    return [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))


def _at(uri: str, folders: bool) -> list[Found]:
    """What is there by this very name."""
    fs, path = filesystem.resolve(uri)
    found = _described(uri, fs.get_file_info(path))
    return [found] if found and (folders or isinstance(found, FoundFile)) else []


def _below(folder: str, *, deep: bool) -> list[Found]:
    fs, path = filesystem.resolve(folder)
    infos = fs.get_file_info(pafs.FileSelector(path, recursive=deep, allow_not_found=True))
    found = (_described(folder + info.path[len(path.rstrip("/")) :], info) for info in infos)
    return sorted((each for each in found if each), key=lambda each: each.uri)


def _described(uri: str, info: pafs.FileInfo) -> Found | None:
    if info.type == pafs.FileType.File:
        return FoundFile(uri, info.size, info.mtime_ns or 0)
    return FoundFolder(uri) if info.type == pafs.FileType.Directory else None


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
