"""The forms that corpora come in: how each is cut into pieces, and how a piece is read."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ssl_asr.corpus.list_states import states_of
from ssl_asr.corpus.pieces import Piece, pieces
from ssl_asr.corpus.readers import parquet
from ssl_asr.corpus.readers.common_voice import lists_beside as beside_common_voice
from ssl_asr.corpus.readers.common_voice import read_common_voice
from ssl_asr.corpus.readers.containers import container_pieces
from ssl_asr.corpus.readers.folder import read_folder
from ssl_asr.corpus.readers.kaldi import read_kaldi
from ssl_asr.corpus.readers.kaldi_pieces import kaldi_pieces
from ssl_asr.corpus.readers.lhotse import read_lhotse
from ssl_asr.corpus.readers.libri_light import libri_light_pieces, read_libri_light
from ssl_asr.corpus.readers.librispeech import read_librispeech
from ssl_asr.corpus.readers.librispeech_tree import librispeech_pieces
from ssl_asr.corpus.readers.mls import LINES, read_mls, read_mls_audio
from ssl_asr.corpus.readers.mls import lists_beside as beside_mls
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.corpus.readers.nemo_tarred import nemo_tarred_pieces, read_nemo_tarred
from ssl_asr.corpus.readers.reading import Reading, joined
from ssl_asr.corpus.readers.shar import read_shar, shar_pieces
from ssl_asr.corpus.readers.trees import tree_pieces
from ssl_asr.corpus.readers.webdataset import read_webdataset
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import matching_files


@dataclass(frozen=True)
class ReadOptions:
    """`channel` is the default; `texts`: utterances without one are of no use; `pipes` (of Kaldi) are run.

    `lengths`: those of a list are believed, so a reader may take some from a file beside it. `current` is the
    directory that relative paths may be taken from: a task has another one than the driver. `longest` are the seconds
    of the longest utterance, where the reader may choose.
    """

    current: str
    channel: int = 0
    texts: bool = True
    pipes: bool = False
    lengths: bool = False
    longest: float = math.inf


@dataclass(frozen=True)
class Reader:
    """`pieces` of the corpus at a path, URI or pattern, none where there is none; `read` gives what one lists.

    `gives_lengths`: those of its entries, where they have some, were measured when the corpus was made. A form that
    never `has_texts` is of use as unlabeled speech alone.
    """

    pieces: Callable[[str], list[Piece]]
    read: Callable[[Piece, ReadOptions], Reading]
    gives_lengths: bool = False
    has_texts: bool = True


def read_listed(reader: str, path: str, channel: int = 0, *, texts: bool = True) -> Reading:
    """All that a corpus lists, in this process. ValueError where there is nothing, or no text where it is needed."""
    if texts:
        check_has_texts(reader, path)
    options = ReadOptions(os.getcwd(), channel, texts)
    found = pieces_at(reader, path)
    return joined(READERS[reader].read(piece, options) for piece in found)


def pieces_at(reader: str, path: str) -> list[Piece]:
    """ValueError where there is nothing."""
    found = READERS[reader].pieces(os.path.expanduser(path))
    if not found:
        raise ValueError(f"{reader}:{path}: there is no {path}; fix the path")
    return found


def check_has_texts(reader: str, path: str) -> None:
    if not READERS[reader].has_texts:
        raise ValueError(
            f"{reader}:{path}: this form has no transcripts, so it is for corpus.unlabeled alone; name a source with "
            "texts here, such as a manifest (nemo:PATH)"
        )


def _list_pieces(path: str, beside: Callable[[str], list[str]] = lambda uri: []) -> list[Piece]:
    """`beside` names the files that say what a list means, of which each piece of the list depends too."""
    files = matching_files(path)
    states = dict(zip(files, states_of(files), strict=True))
    for file in files:
        if others := [found for each in beside(file.uri) for found in matching_files(each)]:
            states[file] = digest([states[file], *states_of(others)])
    return pieces(files, by_lines=True, state=states.__getitem__)


def _mls_pieces(path: str) -> list[Piece]:
    lists = path if path.endswith(".txt") else filesystem.join(path, LINES)
    return _list_pieces(lists, beside_mls) or tree_pieces(path)


def _read_kaldi(piece: Piece, options: ReadOptions) -> Reading:
    return read_kaldi(piece, options.channel, pipes=options.pipes, current=options.current)


def _read_nemo(piece: Piece, options: ReadOptions) -> Reading:
    part = (piece.begin, piece.end)
    return read_nemo(piece.uri, options.channel, part=part, current=options.current)


def _read_nemo_tarred(piece: Piece, options: ReadOptions) -> Reading:
    part, tars = (piece.begin, piece.end), [name for name, _ in piece.files or ()]
    return read_nemo_tarred(piece.uri, options.channel, part=part, tars=tars)


def _read_lhotse(piece: Piece, options: ReadOptions) -> Reading:
    part = (piece.begin, piece.end)
    return read_lhotse(piece.uri, options.channel, part=part, current=options.current)


def _read_common_voice(piece: Piece, options: ReadOptions) -> Reading:
    part = (piece.begin, piece.end)
    return read_common_voice(piece.uri, options.channel, part=part, lengths=options.lengths)


def _read_mls(piece: Piece, options: ReadOptions) -> Reading:
    if piece.uri.endswith(".txt"):
        return read_mls(piece.uri, options.channel, part=(piece.begin, piece.end))
    if options.texts:
        raise ValueError(f"{piece.uri} has no {LINES}, so it is for corpus.unlabeled alone; restore that file")
    return read_mls_audio(piece, options.channel)


READERS: Mapping[str, Reader] = {
    "kaldi": Reader(kaldi_pieces, _read_kaldi),
    "librispeech": Reader(
        librispeech_pieces,
        lambda piece, options: read_librispeech(piece, options.channel, texts=options.texts),
    ),
    "common-voice": Reader(
        lambda path: _list_pieces(path, beside_common_voice), _read_common_voice, gives_lengths=True
    ),
    "mls": Reader(_mls_pieces, _read_mls),
    "libri-light": Reader(
        libri_light_pieces,
        lambda piece, options: read_libri_light(piece, options.channel, longest=options.longest),
        gives_lengths=True,
        has_texts=False,
    ),
    "folder": Reader(tree_pieces, lambda piece, options: read_folder(piece, options.channel), has_texts=False),
    "nemo": Reader(_list_pieces, _read_nemo, gives_lengths=True),
    "lhotse": Reader(_list_pieces, _read_lhotse, gives_lengths=True),
    "webdataset": Reader(
        partial(container_pieces, ending=".tar"),
        lambda piece, options: read_webdataset(piece.uri, options.channel),
        gives_lengths=True,
    ),
    "nemo-tarred": Reader(
        nemo_tarred_pieces,
        _read_nemo_tarred,
        gives_lengths=True,
    ),
    "shar": Reader(
        shar_pieces,
        lambda piece, options: read_shar(piece.uri, [uri for _, uri in piece.files or ()]),
        gives_lengths=True,
    ),
    "parquet": Reader(
        parquet.parquet_pieces,
        lambda piece, options: parquet.read_parquet(piece.uri, options.channel, part=(piece.begin, piece.end)),
        gives_lengths=True,
    ),
}
