"""Reads the alignments of a Kaldi directory: `ali.*.gz`, with `final.mdl` and `phones.txt`.

The archives are read here and not by kaldiio, which takes the last bytes of one that breaks off in a key for an
alignment, and unpickles (that is, runs) what a record asks it to. kaldi-native-io reads broken archives to their end.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.kaldi_model import Transitions, read_transitions
from ssl_asr.hmm.phone_times import PhoneTimes, Unusable, joined_silences, known_phone
from ssl_asr.lang.phones import PhoneSet

_VECTOR = b"\0B\4"  # binary, and a number of four bytes: the length
_NUMBER = 5  # bytes: its size, and an int32
_LONGEST_KEY, _MOST_FRAMES = 4096, 24 * 3600 * 100  # more is damage


def read_kaldi_alignments(folder: Path, phones: PhoneSet) -> Iterator[tuple[str, PhoneTimes | Unusable]]:
    """Utterances and their phones; ValueError naming the file that is missing or broken."""
    transitions, symbols = read_transitions(folder / "final.mdl"), _symbols(folder / "phones.txt")
    known = {
        number: known_phone(symbols.get(number, f"number {number}"), phones)
        for number in set(transitions.phones.tolist())
    }
    for archive in archives(folder):
        for name, ids in read_archive(archive):
            yield name, _times(ids, transitions, known)


def source_files(folder: Path) -> list[Path]:
    """All that is read."""
    return [folder / "final.mdl", folder / "phones.txt", *archives(folder)]


def archives(folder: Path) -> list[Path]:
    """Those of all jobs; ValueError if there are none, or not as many as `num_jobs` says."""
    found = sorted(folder.glob("ali.*.gz"))
    jobs = folder / "num_jobs"
    wanted = jobs.read_text().strip() if jobs.is_file() else str(max(len(found), 1))
    if str(len(found)) != wanted:
        raise ValueError(f"{folder} has {len(found)} files ali.*.gz where there should be {wanted}; copy all of them")
    return found


def read_archive(path: Path) -> Iterator[tuple[str, npt.NDArray[np.int32]]]:
    """Keys and vectors of a gzipped binary archive of int32 vectors; ValueError naming it if it is not whole."""
    place = 0
    try:
        with gzip.open(path) as packed, io.BufferedReader(packed) as stream:
            while key := _until_space(stream):
                vector = _vector(stream)
                if vector is None or not key.endswith(b" "):
                    raise ValueError(
                        f"{path} is not a whole archive of alignments in Kaldi's binary form (at byte {place} of its "
                        "content); copy it again"
                    )
                yield _name(key, path, place), vector
                place += len(key) + len(_VECTOR) + 4 + _NUMBER * len(vector)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file ({error}); copy it again") from error


def _until_space(stream: BinaryIO) -> bytes:
    """With the space, but for the end of the stream or of what may be a key."""
    key = bytearray()
    while len(key) < _LONGEST_KEY and (byte := stream.read(1)):
        key += byte
        if byte == b" ":
            break
    return bytes(key)


def _vector(stream: BinaryIO) -> npt.NDArray[np.int32] | None:
    """None where there is no whole one."""
    head = stream.read(len(_VECTOR) + 4)
    length = int.from_bytes(head[len(_VECTOR) :], "little", signed=True)
    if head[: len(_VECTOR)] != _VECTOR or len(head) < len(_VECTOR) + 4 or not 0 <= length <= _MOST_FRAMES:
        return None
    data = stream.read(_NUMBER * length)
    numbers = np.frombuffer(data, np.uint8, len(data) - len(data) % _NUMBER).reshape(-1, _NUMBER)
    if len(data) < _NUMBER * length or (numbers[:, 0] != 4).any():
        return None
    return np.ascontiguousarray(numbers[:, 1:]).view("<i4")[:, 0]


def _name(key: bytes, path: Path, place: int) -> str:
    try:
        return key[:-1].decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} has an utterance whose name is not UTF-8 (at byte {place} of its content); copy it again, "
            "or give it another name"
        ) from error


def _symbols(path: Path) -> dict[int, str]:
    try:
        pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        return {int(number): symbol for symbol, number in pairs}
    except ValueError as error:
        raise ValueError(f"{path} is not a list of phones and their numbers ({error}); copy it from lang/") from error


def _times(
    ids: npt.NDArray[np.int32], transitions: Transitions, phones: Mapping[int, int | Unusable]
) -> PhoneTimes | Unusable:
    if ids.size and not 0 < ids.min() <= ids.max() < len(transitions.phones):
        return Unusable(
            "unreadable",
            "its imported alignment has transition ids that final.mdl lacks; give the final.mdl that made it",
        )
    numbers, states = transitions.phones[ids], transitions.states[ids]
    # A phone that follows itself begins where the state falls; so may silence, whose states go back and forth.
    begins = np.flatnonzero((np.diff(numbers) != 0) | (np.diff(states) < 0)) + 1
    firsts = np.concatenate([[0], begins])[: len(ids)]
    ends = np.concatenate([begins, [len(ids)]])[: len(firsts)]
    known = list[int]()
    for phone in map(phones.__getitem__, numbers[firsts].tolist()):
        if isinstance(phone, Unusable):
            return phone
        known.append(phone)
    return joined_silences(known, ends.tolist(), "edges")
