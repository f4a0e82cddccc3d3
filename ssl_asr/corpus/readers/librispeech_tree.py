"""The folders of a tree in LibriSpeech's form, on a disk or in a bucket, and the pieces that they are read in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ssl_asr.corpus.folders import split_ending, walk
from ssl_asr.corpus.list_states import states_of
from ssl_asr.corpus.listed_files import ListedFiles
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers import trees
from ssl_asr.recipe.identity import digest
from ssl_asr.store.patterns import FoundFile, files_below, matching_files

LINES = ".trans.txt"


@dataclass(frozen=True)
class _Folder:
    """Of a tree: its path below the root, "" of the root itself, and the names of its files."""

    below: str
    audio: Sequence[str]
    lists: Sequence[FoundFile]

    @property
    def names(self) -> list[str]:
        """Of all files, below the root."""
        return sorted([*self.audio, *(_inside(self.below, each.uri.rpartition("/")[2]) for each in self.lists)])


def librispeech_pieces(path: str) -> list[Piece]:
    """Pieces of whole folders, of `trees.FILES` files or more, of each folder that a path, URI or pattern names.

    A piece is another with other lines, or with audio files of other names. In a bucket the files of lines are
    compared by size and time, for each would be a request. A folder without any audio is an empty piece.
    """
    return [piece for root in trees.folders_at(path) for piece in _pieces_of(root)]


def names_in(root: str) -> Iterator[tuple[str, list[str]]]:
    """Every folder of a tree, by its absolute path or URI, with the sorted names of its files."""
    if not trees.is_in_store(root):
        yield from walk(root, trees.unreadable)
        return
    below = sorted(file.uri.rpartition("/")[::2] for file in files_below(root))
    for folder, files in groupby(below, lambda file: file[0]):
        yield folder, [name for _, name in files]


def _pieces_of(root: str) -> Iterator[Piece]:
    folders = [*(_stored_folders if trees.is_in_store(root) else _local_folders)(root)]
    lists = [file for folder in folders for file in folder.lists]
    states = [file.stamp for file in lists] if trees.is_in_store(root) else states_of(lists)
    state_of = dict(zip((file.uri for file in lists), states, strict=True))
    begin = 0
    for some in _groups(folders):
        audio = sorted(name for folder in some for name in folder.audio)
        inside = sorted((file for folder in some for file in folder.lists), key=lambda file: file.uri.split("/"))
        lines = [f"{file.uri.removeprefix(root)} {state_of[file.uri]}" for file in inside]
        size = sum(file.size for file in inside) + trees.NAME_BYTES * len(audio)
        names = tuple(name for folder in some for name in folder.names)
        state = digest([*map(_encodable, audio), *map(_encodable, lines)])
        yield Piece(root, begin, begin + size, state, files=ListedFiles(root.rstrip("/"), names))
        begin += size


def _groups(folders: Iterable[_Folder]) -> Iterator[list[_Folder]]:
    """At least one, which may be empty."""
    some, count = list[_Folder](), 0
    for folder in folders:
        if count >= trees.FILES:
            yield some
            some, count = [], 0
        some.append(folder)
        count += len(folder.audio) + len(folder.lists)
    yield some


def _local_folders(root: str) -> Iterator[_Folder]:
    for folder, names in walk(root, trees.unreadable):
        below = folder[len(root) :].strip("/")
        lists = [file for name in names if name.endswith(LINES) for file in matching_files(f"{folder}/{name}")]
        yield _Folder(below, _audio(below, names), lists)


def _stored_folders(root: str) -> Iterator[_Folder]:
    found = sorted(files_below(root), key=lambda file: file.uri.rpartition("/"))
    for folder, files in groupby(found, lambda file: file.uri.rpartition("/")[0]):
        below, inside = folder[len(root) :].strip("/"), [*files]
        names = [file.uri.rpartition("/")[2] for file in inside]
        yield _Folder(below, _audio(below, names), [file for file in inside if file.uri.endswith(LINES)])


def _audio(below: str, names: Iterable[str]) -> list[str]:
    return [_inside(below, name) for name in names if split_ending(name)[1]]


def _inside(below: str, name: str) -> str:
    return f"{below}/{name}" if below else name


def _encodable(name: str) -> str:
    """A name that is not UTF-8 is rejected when its piece is read."""
    return name.encode(errors="backslashreplace").decode()
