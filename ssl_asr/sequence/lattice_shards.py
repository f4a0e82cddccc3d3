"""Lattices as rows of Parquet: plain lists that every reader knows, without words (docs/formats.md).

`num_frames` are 30 ms frames. The boundaries before, between and after them have `nodes` nodes each. `leaving` arcs
leave every node but those of the last boundary. An arc has one entry each in `targets` (its node at the next
boundary), `senones` and `costs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.sequence.lattices import Arcs, Lattice
from ssl_asr.store.layout import lattices_store

_COLUMNS = {
    "nodes": pa.int32(),
    "leaving": pa.int32(),
    "targets": pa.int32(),
    "senones": pa.uint16(),
    "costs": pa.float32(),
    "final_costs": pa.float32(),  # of each node of the last boundary
}
_LISTS = {name: pa.list_(kind) for name, kind in _COLUMNS.items()}
SCHEMA = pa.schema([("id", pa.string()), ("num_frames", pa.int32()), *_LISTS.items()])
COLUMN_ENCODING = {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in _COLUMNS}


def store_name(set_id: str) -> str:
    return lattices_store(set_id)


def encode(ids: Sequence[str], lattices: Sequence[Lattice | None]) -> pa.Table:
    """A row for each id, without frames where there is no lattice. Words are left out: training does not ask."""
    rows = [None if each is None else _row(each) for each in lattices]
    columns: dict[str, list[Any]] = {name: [row[name] if row else [] for row in rows] for name in _COLUMNS}
    frames = [0 if each is None else each.num_frames for each in lattices]
    return pa.table({"id": list(ids), "num_frames": frames, **columns}, schema=SCHEMA)


def decode(table: pa.Table) -> dict[str, Lattice | None]:
    """By utterance, without words; None where there is no lattice. ValueError if a row contradicts itself."""
    columns: list[list[npt.NDArray[Any]]] = [[each.values.to_numpy() for each in table[name]] for name in _COLUMNS]
    found: dict[str, Lattice | None] = {}
    for name, frames, *row in zip(table["id"].to_pylist(), table["num_frames"].to_pylist(), *columns, strict=True):
        found[name] = _lattice(name, frames, dict(zip(_COLUMNS, row, strict=True))) if frames else None
    return found


def _row(lattice: Lattice) -> dict[str, npt.NDArray[Any]]:
    arcs, last = lattice.arcs, lattice.first_nodes[-2]
    return {
        "nodes": np.diff(lattice.first_nodes),
        "leaving": np.bincount(arcs.sources, minlength=last).astype(np.int32),
        "targets": arcs.targets - lattice.first_nodes[lattice.frames + 1],
        "senones": arcs.senones.astype(np.uint16),
        "costs": arcs.costs,
        "final_costs": lattice.final_costs,
    }


def _lattice(name: str, frames: int, row: dict[str, npt.NDArray[Any]]) -> Lattice:
    nodes, leaving, targets = row["nodes"], row["leaving"], row["targets"]
    first_nodes = _firsts(nodes)
    last = int(nodes[:-1].sum())
    sizes = (len(targets), len(row["senones"]), len(row["costs"]))
    whole = len(nodes) > 1 and (nodes > 0).all() and (leaving > 0).all()
    fits = whole and len(nodes) == frames + 1 and len(leaving) == last and len(row["final_costs"]) == nodes[-1]
    if not fits or len(set(sizes)) != 1 or sizes[0] != leaving.sum():
        raise ValueError(f"the lattice of {name} contradicts itself")
    sources = np.repeat(np.arange(last, dtype=np.int32), leaving)
    first_arcs = _firsts(leaving)[first_nodes[:-1]]
    begins = np.repeat(first_nodes[1:-1], np.diff(first_arcs))
    if ((targets < 0) | (targets >= np.repeat(nodes[1:], np.diff(first_arcs)))).any():
        raise ValueError(f"the lattice of {name} has an arc to nowhere")
    arcs = Arcs(
        sources,
        (targets + begins).astype(np.int32),
        row["senones"].astype(np.int32),
        row["costs"].astype(np.float32),
        np.zeros((len(targets), 0), np.int32),
    )
    return Lattice(first_nodes, first_arcs, arcs, row["final_costs"].astype(np.float32))


def _firsts(counts: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
