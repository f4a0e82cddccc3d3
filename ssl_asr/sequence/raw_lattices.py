"""What kaldi-decoder's search returns, as arrays: its raw lattice, one state for each graph state and frame."""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# An arc in OpenFst's "vector" file format of `LatticeArc`; label 0 means none, both weights are costs.
_ARC = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("graph", "<f4"), ("acoustic", "<f4"), ("nextstate", "<i4")])
_STATE = struct.Struct("<ffq")  # final costs, and the arcs that follow
_MAGIC = 2125659606


@dataclass(frozen=True, eq=False)
class RawLattice:
    """Arcs with input labels senone + 1 and output labels word id, both 0 where there is none.

    `final_costs` [states] is infinite where no path ends. `costs` [arcs] are of the graph, `acoustic` [arcs] are what
    the search was given.
    """

    start: int
    final_costs: npt.NDArray[np.float32]
    sources: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    ilabels: npt.NDArray[np.int32]
    olabels: npt.NDArray[np.int32]
    costs: npt.NDArray[np.float32]
    acoustic: npt.NDArray[np.float32]


def read_raw(lattice: Any) -> RawLattice:
    """The arrays of a kaldifst.Lattice."""
    with tempfile.TemporaryDirectory() as folder:  # its bindings have no other bulk access
        path = Path(folder) / "lattice.fst"
        lattice.write(str(path))
        return _parse(path.read_bytes())


def _parse(data: bytes) -> RawLattice:
    at = 4
    assert struct.unpack_from("<i", data)[0] == _MAGIC, "an OpenFst file"
    names = []
    for _ in range(2):
        (length,) = struct.unpack_from("<i", data, at)
        names.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    assert names == [b"vector", b"lattice4"], "a vector FST of lattice weights"
    start, num_states = struct.unpack_from("<qq", data, at + 16)
    at += 40
    finals, counts, pieces = np.empty((num_states, 2), np.float32), np.empty(num_states, np.int64), []
    for state in range(num_states):
        *finals[state], count = _STATE.unpack_from(data, at)
        at += _STATE.size
        counts[state] = count
        pieces.append(data[at : at + count * _ARC.itemsize])
        at += count * _ARC.itemsize
    arcs = np.frombuffer(b"".join(pieces), _ARC)
    return RawLattice(
        start,
        finals.sum(axis=1),
        np.repeat(np.arange(num_states, dtype=np.int32), counts),
        *(arcs[name].copy() for name in ("nextstate", "ilabel", "olabel", "graph", "acoustic")),
    )
