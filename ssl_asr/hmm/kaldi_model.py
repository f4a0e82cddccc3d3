"""Which phone and state each transition id of Kaldi's `final.mdl` stands for.

Kaldi's alignments are lists of transition ids. Only the transition model at the beginning of the file is read
(`TransitionModel::Write` in Kaldi's hmm/transition-model.cc), not the acoustic model behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BINARY = b"\0B"


@dataclass(frozen=True)
class Transitions:
    """`phones` and `states`, int32 [transition ids + 1], by transition id; ids begin at 1."""

    phones: npt.NDArray[np.int32]
    states: npt.NDArray[np.int32]


def read_transitions(path: Path) -> Transitions:
    """ValueError naming the file if it is not a whole model in Kaldi's binary form, or a chain model."""
    data = path.read_bytes()
    if data[:2] != _BINARY:
        raise ValueError(f"{path} is not a binary model of Kaldi; copy it with gmm-copy --binary=true")
    try:
        return _transitions(_Reader(data, len(_BINARY)))
    except _ChainModelError:
        raise ValueError(
            f"{path} is a chain model, whose alignments have a frame every 30 ms; give alignments by a model of "
            "10 ms frames, such as exp/tri3_ali"
        ) from None
    except (IndexError, UnicodeDecodeError, ValueError, struct.error) as error:
        raise ValueError(
            f"{path} is not a whole model of Kaldi ({error}); give the final.mdl that made the alignments"
        ) from error


class _ChainModelError(Exception):
    """A state has one class of outputs for its self-loop and one for the others."""


class _Reader:
    """Kaldi's basic types: each number follows a byte with its size."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def token(self, *expected: str) -> str:
        end = self._data.index(b" ", self._place)
        found = self._data[self._place : end].decode()
        if found not in expected:
            raise ValueError(f"{found[:40]!r} where {' or '.join(expected)} belongs")
        self._place = end + 1
        return found

    def integer(self) -> int:
        return int(self._number("<i"))

    def real(self) -> float:
        return float(self._number("<f"))

    def integers(self) -> npt.NDArray[np.int32]:
        """A size byte and a length, then plain int32."""
        length = self.integer()
        if not 0 <= length <= (len(self._data) - self._place) // 4:
            raise ValueError(f"a list of {length} numbers")
        found = np.frombuffer(self._data, "<i4", length, self._place)
        self._place += 4 * length
        return found

    def _number(self, form: str) -> float:
        if self._data[self._place] != struct.calcsize(form):
            raise ValueError(f"a number of {self._data[self._place]} bytes")
        (found,) = struct.unpack_from(form, self._data, self._place + 1)
        self._place += 1 + struct.calcsize(form)
        return found


def _transitions(reader: _Reader) -> Transitions:
    reader.token("<TransitionModel>")
    counts = _topology(reader)
    if reader.token("<Triples>", "<Tuples>") == "<Tuples>":
        raise _ChainModelError
    phones, states = [0], [0]
    for _ in range(reader.integer()):
        phone, state, _ = (reader.integer() for _ in range(3))
        times = counts(phone, state)
        phones += [phone] * times
        states += [state] * times
    reader.token("</Triples>")
    return Transitions(np.array(phones, np.int32), np.array(states, np.int32))


@dataclass(frozen=True)
class _Topology:
    """`counts[entries[phone]][state]` transitions leave a state of a phone."""

    entries: npt.NDArray[np.int32]
    counts: Sequence[Sequence[int]]

    def __call__(self, phone: int, state: int) -> int:
        return self.counts[self.entries[phone]][state]


def _topology(reader: _Reader) -> _Topology:
    reader.token("<Topology>")
    reader.integers()  # the phones
    entries, size = reader.integers(), reader.integer()
    if size == -1:  # in place of the size, as `HmmTopology::Write` marks them
        raise _ChainModelError
    found = [_entry(reader) for _ in range(size)]
    reader.token("</Topology>")
    return _Topology(entries, found)


def _entry(reader: _Reader) -> list[int]:
    """How many transitions leave each state."""
    counts = []
    for _ in range(reader.integer()):
        reader.integer()
        counts.append(reader.integer())
        for _ in range(counts[-1]):
            reader.integer()
            reader.real()
    return counts
