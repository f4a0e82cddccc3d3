"""Reads the speech without transcripts of Libri-Light: recordings of some minutes, each with a JSON file beside it.

    small/100/sea_fairies_0812_librivox_64kb_mp3/01_baum_sea_fairies_64kb.flac
    small/100/sea_fairies_0812_librivox_64kb_mp3/01_baum_sea_fairies_64kb.json

    {"speaker": "100", "book_meta": {...}, "snr": 11.4471, "voice_activity": [[0.4, 12.32], [12.96, 20.0]]}

`voice_activity` are seconds (data_preparation/README.md of facebookresearch/libri-light). Its labelled part,
librispeech_finetuning, is a LibriSpeech tree: librispeech:librispeech_finetuning/1h.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.entries import entry_of, name_of, number_of
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.trees import check_name, files_of, is_audio, tree_pieces
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.utterance import Utterance

# A recording of 15 minutes is about 40 utterances; its JSON file counts as much as the audio.
FILE_BYTES = 3000
# Neighbours further apart are never one utterance: Emilia's rule (He et al. 2024).
LONGEST_PAUSE = 2.0
_JSON = ".json"
Span = tuple[float, float]  # begin and end in seconds


@dataclass(frozen=True)
class _Told:
    """What a recording's JSON file says; None where it does not."""

    speaker: str | None = None
    voice: tuple[Span, ...] | None = None


def libri_light_pieces(path: str) -> list[Piece]:
    return tree_pieces(path, _is_listed, FILE_BYTES)


def read_libri_light(piece: Piece, channel: int = 0, *, longest: float = math.inf) -> Reading:
    """The speech of every recording, in utterances of up to `longest` seconds where its JSON file says where it is.

    Such an utterance is one span of voice activity with the neighbours that fit, and the pauses between them. It may
    be longer where a single span is. A recording without a JSON file, or without `voice_activity` in it, is an
    utterance as a whole. One in which no voice was found is none, and counted.

    An utterance is called SPEAKER/BOOK/NAME, after the recording's path, with its begin in ms where it is a part.
    Without a JSON file the folder two levels up is the speaker.
    """
    utterances, rejects, silent = list[Utterance](), list[Reject](), 0
    files = [*files_of(piece)]
    recordings = [(name, uri) for name, uri in files if is_audio(name)]
    listed = {uri for name, uri in files if _is_json(name)}
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        told_of = list(pool.map(partial(_told_or_why_not, listed), (uri for _, uri in recordings)))
    for (name, uri), told in zip(recordings, told_of, strict=True):
        if isinstance(told, ValueError):
            rejects.append(Reject(ascii(name), str(told)))
            continue
        silent += told.voice == ()
        utterances += _utterances(uri, told, channel, longest)
    counts = {"recordings without any voice activity": silent} if silent else {}
    return Reading(tuple(utterances), tuple(rejects), counts)


def joined_spans(spans: Iterable[Span], longest: float, pause: float = LONGEST_PAUSE) -> Iterator[Span]:
    """Neighbours as one, as long as that lasts no longer than `longest` and no gap in it is longer than `pause`."""
    begin, end = -math.inf, -math.inf
    for span in spans:
        if span[0] - end <= pause and span[1] - begin <= longest:
            end = span[1]
            continue
        if end > begin:
            yield begin, end
        begin, end = span
    if end > begin:
        yield begin, end


def _utterances(uri: str, told: _Told, channel: int, longest: float) -> Iterator[Utterance]:
    *_, speaker, book, file = f"//{uri}".split("/")
    name = "/".join((speaker, book, split_ending(file)[0]))
    speaker = told.speaker or speaker or name
    if told.voice is None:
        yield Utterance(name, uri, speaker, order=0, duration=math.inf, channel=channel)
        return
    for begin, end in joined_spans(told.voice, longest):
        called = f"{name}-{round(begin * 1000):07d}"
        yield Utterance(called, uri, speaker, order=0, duration=end - begin, offset=begin, channel=channel)


def _told_or_why_not(listed: Collection[str], uri: str) -> _Told | ValueError:
    """`listed` are JSON files that are known to be there; one that a pattern or another piece has is looked for."""
    file = split_ending(uri)[0] + _JSON
    try:
        check_name(uri)
        return _told(file) if file in listed or filesystem.exists(file) else _Told()
    except ValueError as error:
        return error


def _told(file: str) -> _Told:
    """Of a JSON file; ValueError where it can't be read, or holds something else."""
    text = filesystem.read_bytes(file)
    try:
        row = entry_of(text.decode("utf-8-sig"))
        voice = row.get("voice_activity")
        return _Told(name_of(row, "speaker"), None if voice is None else tuple(_spans(voice)))
    except ValueError as error:
        raise ValueError(f"{file} is not a JSON file of Libri-Light ({error}); fetch it again") from None


def _spans(voice: Any) -> Iterator[Span]:
    """ValueError unless these are pairs of seconds that follow each other."""
    at = 0.0
    for pair in voice if isinstance(voice, list) else [voice]:
        begin, end = _pair(pair)
        if not at <= begin < end < math.inf:
            raise ValueError(f"its voice_activity has {repr(pair)[:60]} after {at:g} s")
        at = end
        yield begin, end


def _pair(pair: Any) -> tuple[float, float]:
    """NaN where these are not two numbers."""
    try:
        begin, end = (number_of({"": seconds}, "") for seconds in (pair if isinstance(pair, list) else ()))
    except ValueError:
        return math.nan, math.nan
    return math.nan if begin is None else begin, math.nan if end is None else end


def _is_json(name: str) -> bool:
    return name.endswith(_JSON)


def _is_listed(name: str) -> bool:
    return is_audio(name) or _is_json(name)
