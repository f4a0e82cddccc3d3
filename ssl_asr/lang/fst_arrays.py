"""Transducers as numpy arrays: edits of a million arcs in a few vectorised lines instead of a Python loop.

The arrays are the bytes of OpenFst's "const" file format, version 2 (`fst/const-fst.h`), standard arcs.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt

# One arc; label 0 means none, `weight` is a cost (negative natural logarithm), `nextstate` the state it leads to.
ARC = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("weight", "<f4"), ("nextstate", "<i4")])
_STATE = np.dtype([("final", "<f4"), ("first", "<u4"), ("arcs", "<u4"), ("iepsilons", "<u4"), ("oepsilons", "<u4")])
_SIZES = struct.Struct("<iiQqqq")  # version, flags, properties, start, states, arcs
_MAGIC = 2125659606
_EXPANDED = 1  # the only property that every const FST has; OpenFst computes the others on demand


def to_numpy(fst: Any) -> tuple[int, npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.void]]:
    """Any kaldifst.StdFst as (start, final [states], source [arcs], arcs [arcs] of `ARC`), by state.

    `final` is the cost of ending in a state, infinity where it is not final; `start` is -1 in an empty FST.
    """
    if fst.input_symbols is not None or fst.output_symbols is not None:
        fst = kaldifst.StdVectorFst(fst)
        fst.input_symbols = fst.output_symbols = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.fst"
        kaldifst.StdConstFst(fst).write(str(path))
        return parse(path.read_bytes())


def from_numpy(
    start: int, final: npt.NDArray[np.floating], source: npt.NDArray[np.integer], arcs: npt.NDArray[np.void]
) -> Any:
    """The kaldifst.StdConstFst of what `to_numpy` returns; arcs may come in any order of `source`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.fst"
        path.write_bytes(serialise(start, final, source, arcs))
        return kaldifst.StdConstFst.read(str(path))


def serialise(
    start: int, final: npt.NDArray[np.floating], source: npt.NDArray[np.integer], arcs: npt.NDArray[np.void]
) -> bytes:
    """The bytes that OpenFst's `StdConstFst.read` reads: to store a graph, or to send it to another process."""
    assert arcs.dtype == ARC, "arcs are of fst_arrays.ARC"
    order = np.argsort(source, kind="stable")
    source, arcs = source[order], arcs[order]
    states = np.zeros(len(final), _STATE)
    count = np.bincount(source, minlength=len(final))
    states["final"], states["arcs"] = final, count
    states["first"] = np.cumsum(count) - count
    states["iepsilons"] = np.bincount(source[arcs["ilabel"] == 0], minlength=len(final))
    states["oepsilons"] = np.bincount(source[arcs["olabel"] == 0], minlength=len(final))
    header = struct.pack("<i", _MAGIC) + _string(b"const") + _string(b"standard")
    header += _SIZES.pack(2, 0, _EXPANDED, start, len(final), len(arcs))
    return header + states.tobytes() + arcs.tobytes()


def _string(name: bytes) -> bytes:
    return struct.pack("<i", len(name)) + name


def parse(data: bytes) -> tuple[int, npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.void]]:
    """What `to_numpy` returns, from the bytes of a file; ValueError if they are not such a file, or are cut short.

    Where states say that their arcs lie is not looked at: compare with `serialise` if that may be wrong.
    """
    head = struct.pack("<i", _MAGIC) + _string(b"const") + _string(b"standard")
    if not data.startswith(head) or len(data) < len(head) + _SIZES.size:
        raise ValueError("it is not a const FST of standard arcs")
    version, flags, _, start, num_states, num_arcs = _SIZES.unpack_from(data, len(head))
    if version != 2 or flags != 0:
        raise ValueError("it is not of version 2, or has symbols or alignment")
    at = len(head) + _SIZES.size
    if min(num_states, num_arcs) < 0 or len(data) != at + num_states * _STATE.itemsize + num_arcs * ARC.itemsize:
        raise ValueError("its size is not that of its states and arcs")
    states = np.frombuffer(data, _STATE, num_states, at)
    arcs = np.frombuffer(data, ARC, num_arcs, at + states.nbytes)
    if states["arcs"].sum(dtype=np.int64) != num_arcs:
        raise ValueError("its states have more or fewer arcs than it has")
    source = np.repeat(np.arange(num_states, dtype=np.int32), states["arcs"])
    return start, states["final"].copy(), source, arcs.copy()
