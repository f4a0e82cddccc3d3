"""How a Kaldi data directory, on this machine or in a bucket, is cut into pieces, and the tables of a piece.

Kaldi's tables are sorted by their ids. So a piece is a range of the ids of utterances. Its lines stand together in
each table, and are found by bisection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssl_asr.corpus.list_states import states_of
from ssl_asr.corpus.pieces import MOST_PACKED_BYTES, PIECE_BYTES, Piece, is_packed, parts_of
from ssl_asr.corpus.readers.kaldi_tables import Table, read_table, split_fields
from ssl_asr.corpus.readers.sorted_tables import Key, key_at, not_sorted, part_of_keys
from ssl_asr.corpus.readers.trees import folders_at
from ssl_asr.recipe.identity import digest
from ssl_asr.store.patterns import FoundFile, matching_files

TABLES = ("wav.scp", "segments", "text", "utt2spk", "reco2file_and_channel")
_OF_RECORDINGS = ("wav.scp", "reco2file_and_channel")
STEP_BYTES = PIECE_BYTES


@dataclass(frozen=True)
class Tables:
    """Of a directory (`is_whole`) or of a piece of it. The tables that it lacks are not `present`, and empty."""

    folder: str
    by_name: Mapping[str, Table]
    present: frozenset[str]
    is_whole: bool = True

    @property
    def listing(self) -> str:
        """The table that lists the utterances."""
        return "segments" if "segments" in self.present else "wav.scp"

    def file(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def __getitem__(self, name: str) -> Table:
        return self.by_name.get(name, Table())


def kaldi_pieces(path: str) -> list[Piece]:
    """Of each directory; a piece counts bytes of all its tables.

    One with a gzipped table is one piece; ValueError where it is too large for that.
    """
    found = []
    for folder in folders_at(path):
        files = _tables_in(folder)
        states = states_of([*files.values()])
        state = digest([f"/{name} {each}" for name, each in zip(files, states, strict=True)])
        size = sum(file.size for file in files.values())
        parts = parts_of(size, STEP_BYTES)
        if len(parts) > 1 and (packed := [file.uri for file in files.values() if is_packed(file, 0)]):
            if size > MOST_PACKED_BYTES:
                raise ValueError(
                    f"{packed[0]} is gzipped, and the tables of {folder} have {size / 1e6:,.0f} MB, too much to be "
                    "read at once; unpack it"
                )
            parts = [(0, size)]
        found += [Piece(folder, begin, end, state) for begin, end in parts]
    return found


def tables_of(piece: Piece) -> Tables:
    """ValueError without wav.scp, or if a table can't be read or, of a directory in pieces, is not sorted."""
    files = _tables_in(piece.uri)
    if "wav.scp" not in files:
        raise ValueError(f"{piece.uri} is not a Kaldi data directory: it has no wav.scp")
    size = sum(file.size for file in files.values())
    if not piece.begin and piece.end >= size:
        tables = {name: read_table(file.uri) for name, file in files.items()}
        return Tables(piece.uri, tables, frozenset(files))
    listing = files.get("segments") or files["wav.scp"]
    places = (place * listing.size // size for place in (piece.begin, piece.end))
    first, last = (key_at(listing.uri, place) if 0 < place < listing.size else None for place in places)
    if piece.begin and first is None:  # its lines begin in the piece before
        return Tables(piece.uri, {}, frozenset(files), is_whole=False)
    tables = {
        name: _range_of(file.uri, first, last)
        for name, file in files.items()
        if "segments" not in files or name not in _OF_RECORDINGS
    }
    if "segments" in files:
        tables |= _of_recordings(files, tables["segments"])
    return Tables(piece.uri, tables, frozenset(files), is_whole=False)


def _of_recordings(files: Mapping[str, FoundFile], segments: Table) -> dict[str, Table]:
    """Of the tables by recordings the lines of those that have segments here.

    If wav.scp seems to lack one, all of it is read: it may not be sorted.
    """
    recordings = {fields[0] for line in segments.values.values() if (fields := split_fields(line))}
    if not recordings:
        return {}
    first, after = min(recordings), max(recordings) + "\0"  # nothing comes between a key and that
    tables = {
        name: read_table(files[name].uri, part_of_keys(files[name].uri, first, after), recordings.__contains__)
        for name in _OF_RECORDINGS
        if name in files
    }
    if recordings - tables["wav.scp"].values.keys():
        tables["wav.scp"] = read_table(files["wav.scp"].uri, wanted=recordings.__contains__)
    return tables


def _range_of(file: str, first: Key, last: Key) -> Table:
    """ValueError where the keys in this range are not sorted. As the ranges meet, all of the file is, if each is."""
    table, before = read_table(file, part_of_keys(file, first, last)), first or ""
    for key in table.values:
        if key < before or (last is not None and key >= last):
            raise not_sorted(file, f"{key} is not after {before}" if key < before else f"{key} is before {last}")
        before = key
    return table


def _tables_in(folder: str) -> dict[str, FoundFile]:
    found = ((name, matching_files(f"{folder}/{name}")) for name in TABLES)
    return {name: files[0] for name, files in found if files}
