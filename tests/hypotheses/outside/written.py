"""Reads files of another recogniser's words as the stage's jobs do, without a run."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.pieces import PIECE_BYTES
from ssl_asr.hypotheses.outside.reading import pieces_of, read_piece
from ssl_asr.hypotheses.outside.words import FILE, SCHEMA, OutsideWord, joined_rows, words_by_id
from ssl_asr.store.patterns import matching_files


def read_outside(source: str, size: int = PIECE_BYTES) -> dict[str, tuple[OutsideWord, ...]]:
    """Words by utterance; files are cut into pieces of about `size` bytes."""
    kind, _, place = source.partition(":")
    files = matching_files(place)
    pieces = pieces_of(kind, files, size)
    uris = [piece.uri for piece in pieces]
    tables = [read_piece(kind, piece, is_whole=uris.count(piece.uri) == 1) for piece in pieces]
    names = [file.uri for file in files]
    numbered = [
        table.append_column(FILE, pa.array(np.full(table.num_rows, names.index(uri), np.int32)))
        for table, uri in zip(tables, uris, strict=True)
    ]
    return words_by_id(joined_rows(pa.concat_tables(numbered), names).select(SCHEMA.names))
