"""Pieces of corpora whose audio lies in large files that hold many recordings."""

from __future__ import annotations

from dataclasses import replace

from ssl_asr.corpus.pieces import Piece, pieces
from ssl_asr.store.patterns import escaped, is_pattern, matching_files

# A recording of 100 kB has a line of 200 bytes in a list.
BYTES_A_LISTED_BYTE = 500


def container_pieces(path: str, ending: str, size: int | None = None) -> list[Piece]:
    """Of each file that the path or pattern names, or of a folder, of each file below it with this ending.

    A file is one piece, or is cut into pieces of about `size` bytes.
    """
    files = matching_files(path)
    if not files and not is_pattern(path):
        files = matching_files(f"{escaped(path.rstrip('/'))}/**/*{ending}")
    cut = pieces(files, by_lines=False) if size is None else pieces(files, by_lines=True, size=size)
    return [replace(piece, bytes_a_listed_byte=BYTES_A_LISTED_BYTE) for piece in cut]
