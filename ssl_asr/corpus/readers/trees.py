"""Audio files of corpora that no list describes: what lies below a path, and its pieces."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ssl_asr.corpus.folders import split_ending, walk
from ssl_asr.corpus.listed_files import ListedFiles
from ssl_asr.corpus.pieces import Piece
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import (
    ANY_FOLDERS,
    FoundFile,
    FoundFolder,
    files_below,
    matching,
    matching_paths,
    root_of,
)

NAME_BYTES = 200  # that a file without a line counts for, where lists are measured
FILES = 20_000  # of a piece


def is_audio(name: str) -> bool:
    return bool(split_ending(name)[1])


@dataclass(frozen=True)
class Tree:
    """`files` below `root`, each by its name there, with what shows that it is another."""

    root: str
    files: Iterator[tuple[str, str]]


def tree_of(path: str, wanted: Callable[[str], bool] = is_audio) -> Tree:
    """The files below a folder, also of a bucket, or that a pattern or a path names, in an order of their own.

    Their names are those below the folder, or below that part of a pattern which has no signs: "a/b.wav" of
    "/data/a/b.wav". Folders that a pattern names are walked, unless it has ** for them; not what begins with a dot. A
    file that is named by itself need not be `wanted`. None where there is nothing; ValueError where a folder can't be
    read. A file is another where its name, its size or the time of its last write is.
    """
    if is_in_store(path):
        return _in_store(path.rstrip("/"), wanted)
    path = filesystem.resolve(path)[1]
    is_folder = os.path.isdir(path)
    if os.path.lexists(path) and not is_folder:
        folder, _, name = path.rpartition("/")
        return Tree(folder, iter([_described(folder, name)]))
    root = (path if is_folder else root_of(path)).rstrip("/")
    found = (
        file[len(root) + 1 :]
        for place in ([path] if is_folder else matching_paths(path))
        for file in _below(place, deep=ANY_FOLDERS not in path)
    )
    return Tree(root, (_described(root, name) for name in found if wanted(os.path.basename(name))))


def folders_at(path: str) -> list[str]:
    """The folders that a path, a URI or a pattern names; on a disk also files, for readers to complain about."""
    if is_in_store(path):
        return [each.uri for each in matching(path.rstrip("/")) if isinstance(each, FoundFolder)]
    return [os.path.abspath(each) for each in matching_paths(path)]


def is_in_store(path: str) -> bool:
    return filesystem.is_uri(path) and not filesystem.is_file_uri(path)


def tree_pieces(
    path: str,
    wanted: Callable[[str], bool] = is_audio,
    size: int = NAME_BYTES,
) -> list[Piece]:
    """Pieces of FILES files, each of which counts for `size` bytes; `wanted` as of `tree_of`."""
    named = path if filesystem.is_uri(path) else filesystem.resolve(path)[1]
    tree = tree_of(path, wanted)
    found = list[Piece]()
    while some := list(itertools.islice(tree.files, FILES)):
        begin = len(found) * FILES * size
        names, states = zip(*some, strict=True)
        files = ListedFiles(tree.root, names)
        found.append(Piece(named, begin, begin + len(some) * size, digest([*states]), files=files))
    return found


def files_of(piece: Piece) -> ListedFiles:
    """The files of a piece of `tree_pieces`."""
    assert piece.files is not None, "a piece of a tree has its files"
    return piece.files


def check_name(file: str) -> None:
    """ValueError if a file's name is not UTF-8: no store of a run can hold it."""
    try:
        file.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{file!a}: this name is not UTF-8; rename the file") from None


def unreadable(error: OSError) -> None:
    """Raise the ValueError for a folder that can't be read; of one that is not there nothing is said."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise ValueError(f"{error.filename} can't be read ({error.strerror}); change its permissions") from error


def _described(root: str, name: str) -> tuple[str, str]:
    """Of a file of this machine, or of a link to none; `ascii` because names need not be UTF-8."""
    try:
        status = os.stat(f"{root}/{name}")
    except OSError:
        return name, ascii(name)
    return name, f"{name!a} of {status.st_size} bytes of {status.st_mtime_ns}"


def _below(path: str, *, deep: bool) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
    elif deep:
        for folder, names in walk(path, unreadable):
            yield from (os.path.join(folder, name) for name in names)


def _in_store(uri: str, wanted: Callable[[str], bool]) -> Tree:
    named = matching(uri)
    if [each for each in named if isinstance(each, FoundFile) and each.uri == uri]:
        root, found = uri.rpartition("/")[0], [each for each in named if isinstance(each, FoundFile)]
    else:
        root = uri if named == [FoundFolder(uri)] else root_of(uri)
        below = (files_below(each.uri) if isinstance(each, FoundFolder) else [each] for each in named)
        found = [file for files in below for file in files if wanted(file.uri.rpartition("/")[2])]
    names = ((file.uri[len(root) + 1 :], file) for file in found)
    return Tree(root, ((name, f"{name!a} of {file.stamp}") for name, file in names))
