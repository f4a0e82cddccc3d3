"""The files of a piece of a source that no list describes, as they were found: no task looks for them again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import listed_files_folder, listed_files_uri

if TYPE_CHECKING:
    from ssl_asr.corpus.pieces import Piece

MOST_CARRIED = 100  # names that go to every actor with their piece; more are in a file of the run


@dataclass(frozen=True)
class ListedFiles:
    """Files below `root`, an absolute path or URI without its last slash, by their names there.

    The names are in the file `kept_at`, if there is one. They need not be UTF-8.
    """

    root: str
    names: tuple[str, ...] = ()
    kept_at: str = ""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each by its name, and by its path or URI."""
        for name in self._read() if self.kept_at else self.names:
            yield name, f"{self.root}/{name}"

    def keep(self, uri: str) -> ListedFiles:
        """The same with the names in a file there."""
        filesystem.write_bytes(uri, b"\0".join(map(os.fsencode, self.names)))
        return ListedFiles(self.root, kept_at=uri)

    def _read(self) -> list[str]:
        return [os.fsdecode(name) for name in filesystem.read_bytes(self.kept_at).split(b"\0")]


def keep_files(run: str, split: str, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces as they go to the tasks: the names of many files are kept in the run."""
    return [
        replace(piece, files=piece.files.keep(listed_files_uri(run, split, piece.name)))
        if piece.files is not None and len(piece.files.names) > MOST_CARRIED
        else piece
        for piece in pieces
    ]


def forget_files(run: str, split: str) -> None:
    """Once all pieces are read."""
    filesystem.delete(listed_files_folder(run, split))
