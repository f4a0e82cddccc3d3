"""Reads the alignments of a Kaldi directory: `ali.*.gz`, with `final.mdl` and `phones.txt`.

The archives are read here and not by kaldiio, which takes the last bytes of one that breaks off in a key for an
alignment, and unpickles (that is, runs) what a record asks it to. kaldi-native-io reads broken archives to their end.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.kaldi_model import Transitions, read_transitions
from ssl_asr.hmm.phone_times import PhoneTimes, joined_silences, known_phone

_VECTOR = b"\0B\4"  # binary, and a number of four bytes: the length
_NUMBER = 5  # bytes: its size, and an int32


def read_kaldi_alignments(folder: Path) -> Iterator[tuple[str, PhoneTimes]]:
    """Utterances and their phones; ValueError naming the file that is missing, broken or of another model."""
    transitions, symbols = read_transitions(folder / "final.mdl"), _symbols(folder / "phones.txt")
    for archive in archives(folder):
        for name, ids in read_archive(archive):
            if ids.size and not 0 < ids.min() <= ids.max() < len(transitions.phones):
                raise ValueError(
                    f"{archive}: {name} has transition ids that final.mdl lacks; give the final.mdl that made it"
                )
            yield name, _times(ids, transitions, symbols, archive)


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
    try:
        data = gzip.decompress(path.read_bytes())
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file ({error}); copy it again") from error
    place = 0
    while place < len(data):
        name, vector, place = _record(path, data, place)
        yield name, vector


def _record(path: Path, data: bytes, place: int) -> tuple[str, npt.NDArray[np.int32], int]:
    """The key and the vector at `place`, and the place behind them."""
    begin = data.find(b" ", place) + 1
    first = begin + len(_VECTOR)
    length = int.from_bytes(data[first : first + 4], "little", signed=True)
    first += 4
    end = first + _NUMBER * length
    if not begin or data[begin : begin + len(_VECTOR)] != _VECTOR or length < 0 or end > len(data):
        raise ValueError(
            f"{path} is not a whole archive of alignments in Kaldi's binary form (at byte {place} of its content); "
            "copy it again"
        )
    numbers = np.frombuffer(data, np.uint8, end - first, first).reshape(-1, _NUMBER)
    if (numbers[:, 0] != 4).any():
        raise ValueError(f"{path} has damaged numbers after byte {place} of its content; copy it again")
    return data[place : begin - 1].decode(), np.ascontiguousarray(numbers[:, 1:]).view("<i4")[:, 0], end


def _symbols(path: Path) -> dict[int, str]:
    try:
        pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        return {int(number): symbol for symbol, number in pairs}
    except ValueError as error:
        raise ValueError(f"{path} is not a list of phones and their numbers ({error}); copy it from lang/") from error


def _times(
    ids: npt.NDArray[np.int32], transitions: Transitions, symbols: dict[int, str], archive: Path
) -> PhoneTimes:
    phones, states = transitions.phones[ids], transitions.states[ids]
    # A phone that follows itself begins where the state falls; so may silence, whose states go back and forth.
    begins = np.flatnonzero((np.diff(phones) != 0) | (np.diff(states) < 0)) + 1
    firsts = np.concatenate([[0], begins])[: len(ids)]
    ends = np.concatenate([begins, [len(ids)]])[: len(firsts)]
    names = [symbols.get(number, f"number {number}") for number in phones[firsts].tolist()]
    known = [known_phone(name, str(archive)) for name in names]
    return joined_silences(known, ends.tolist(), "edges")
