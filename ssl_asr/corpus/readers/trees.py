"""Audio files of corpora that no list describes: what lies below a path, and its pieces."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

from ssl_asr.corpus.folders import split_ending, walk
from ssl_asr.corpus.pieces import Piece
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import FoundFile, files_below, is_hidden, matching_files, matching_paths, root_of

NAME_BYTES = 200  # that a file without a line counts for, where lists are measured
FILES = 20_000  # of a piece, which walks the whole tree to find them


def is_audio(name: str) -> bool:
    return bool(split_ending(name)[1])


def tree_files(path: str, wanted: Callable[[str], bool] = is_audio) -> Iterator[tuple[str, str]]:
    """Files below a folder, also of a bucket, or that a pattern or a path names, in an order of their own.

    Each comes with its path below the folder, or below that part of a pattern which has no signs: ("a/b.wav",
    "/data/a/b.wav"). Folders that a pattern names are walked, unless it has ** for them; not what begins with a dot.
    A file that is named by itself need not be `wanted`. Nothing where there is nothing; ValueError where a folder
    can't be read.
    """
    if filesystem.is_uri(path) and not filesystem.is_file_uri(path):
        for name, found in _in_store(path.rstrip("/"), wanted):
            yield name, found.uri
        return
    path = filesystem.resolve(path)[1]
    is_folder = os.path.isdir(path)
    if os.path.lexists(path) and not is_folder:
        yield os.path.basename(path), path
        return
    root = path if is_folder else root_of(path) or "/"
    for found_path in [path] if is_folder else matching_paths(path):
        for file in _below(found_path, deep="**" not in path):
            if wanted(os.path.basename(file)):
                yield os.path.relpath(file, root), file


def tree_pieces(
    path: str,
    wanted: Callable[[str], bool] = is_audio,
    size: int = NAME_BYTES,
    is_read: Callable[[str], bool] = lambda name: False,
) -> list[Piece]:
    """Pieces of FILES files, each of which counts for `size` bytes.

    A piece is another where its names are, where the size or time of a file is that `is_read` for the list, or where
    another size is listed in a bucket. A disk's listing has no sizes, and asking for each would take long.
    """
    root = path if filesystem.is_uri(path) else filesystem.resolve(path)[1]
    states = _states(root, wanted, is_read)
    found = list[Piece]()
    while some := list(itertools.islice(states, FILES)):
        begin = len(found) * FILES * size
        found.append(Piece(root, begin, begin + len(some) * size, digest(some)))
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


def _states(path: str, wanted: Callable[[str], bool], is_read: Callable[[str], bool]) -> Iterator[str]:
    """What shows that a file is another; `ascii` because names need not be UTF-8."""
    if filesystem.is_uri(path) and not filesystem.is_file_uri(path):
        for name, found in _in_store(path.rstrip("/"), wanted):
            yield f"{name!a} of {found.size} bytes" + (f" of {found.mtime_ns}" if is_read(name) else "")
        return
    for name, file in tree_files(path, wanted):
        status = os.stat(file) if is_read(name) and os.path.exists(file) else None
        yield f"{name!a} of {status.st_size} bytes of {status.st_mtime_ns}" if status else ascii(name)


def _below(path: str, *, deep: bool) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
    elif deep:
        for folder, names in walk(path, unreadable):
            yield from (os.path.join(folder, name) for name in names)


def _in_store(uri: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, FoundFile]]:
    """Their names are all held while they are listed."""
    named = matching_files(uri)
    if [file.uri for file in named] == [uri]:
        yield uri.rpartition("/")[2], named[0]
        return
    root = root_of(uri) if named else uri
    for file in named or files_below(uri):
        name = file.uri[len(root) + 1 :]
        if wanted(name.rpartition("/")[2]) and (named or not is_hidden(name)):
            yield name, file
