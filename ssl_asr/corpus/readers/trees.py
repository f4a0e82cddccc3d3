"""Audio files of corpora that no list describes: what lies below a path, and its pieces."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterator

from ssl_asr.corpus.folders import split_ending, walk
from ssl_asr.corpus.pieces import Piece
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import matching_files

NAME_BYTES = 200  # that a file without a line counts for, where lists are measured
FILES = 20_000  # of a piece, which walks the whole tree to find them
_SIGN = re.compile(r"[*?\[]")


def is_audio(name: str) -> bool:
    return bool(split_ending(name)[1])


def tree_files(path: str, wanted: Callable[[str], bool] = is_audio) -> Iterator[tuple[str, str]]:
    """Files below a folder or a store's prefix, or that a pattern or a path names, in an order of their own.

    Each comes with its path below the folder, or below that part of a pattern which has no signs: ("a/b.wav",
    "/data/a/b.wav"). Folders that a pattern names are walked, unless it has ** for them. A file that is named by
    itself need not be `wanted`. Nothing where there is nothing; ValueError where a folder can't be read.
    """
    if filesystem.is_file_uri(path):
        path = filesystem.resolve(path)[1]
    if filesystem.is_uri(path):
        yield from _in_store(path.rstrip("/"), wanted)
        return
    path = filesystem.resolve(path)[1]
    is_folder = os.path.isdir(path)
    if os.path.lexists(path) and not is_folder:
        yield os.path.basename(path), path
        return
    root = path if is_folder else _without_signs(path)
    for found in [path] if is_folder else sorted(glob.glob(path, recursive=True)):
        for file in _below(found, deep="**" not in path):
            if wanted(os.path.basename(file)):
                yield os.path.relpath(file, root), file


def tree_pieces(path: str, wanted: Callable[[str], bool] = is_audio, size: int = NAME_BYTES) -> list[Piece]:
    """Pieces of FILES files, each of which counts for `size` bytes. A piece is another where its names are."""
    root = path if filesystem.is_uri(path) else filesystem.resolve(path)[1]
    names = (name for name, _ in tree_files(root, wanted))
    found = list[Piece]()
    while some := list(itertools.islice(names, FILES)):
        begin = len(found) * FILES * size
        state = digest([ascii(name) for name in some])  # names need not be UTF-8
        found.append(Piece(root, begin, begin + len(some) * size, state))
    return found


def files_of(
    piece: Piece, wanted: Callable[[str], bool] = is_audio, size: int = NAME_BYTES
) -> Iterator[tuple[str, str]]:
    """The files of a piece of `tree_pieces`, which was given the same `wanted` and `size`."""
    return itertools.islice(tree_files(piece.uri, wanted), piece.begin // size, piece.end // size)


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


def _below(path: str, *, deep: bool) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
    elif deep:
        for folder, names in walk(path, unreadable):
            yield from (os.path.join(folder, name) for name in names)


def _in_store(uri: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Their names are all held while they are listed."""
    named = [file.uri for file in matching_files(uri)]
    if named == [uri]:
        yield uri.rpartition("/")[2], uri
        return
    root = _without_signs(uri) if named else uri
    for file in named or filesystem.list_files(uri):
        if wanted(file.rpartition("/")[2]):
            yield file[len(root) + 1 :], file


def _without_signs(pattern: str) -> str:
    sign = _SIGN.search(pattern)
    return (pattern[: sign.start()] if sign else pattern).rpartition("/")[0]
