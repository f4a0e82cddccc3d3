"""Alignment shards: one senone for every 10 ms frame of the same row of the features.

An utterance that could not be aligned keeps its row, with no frames, so that rows match by position.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store.arrays import from_column, to_column
from ssl_asr.store.layout import alignments_store

SCHEMA = pa.schema([("id", pa.string()), ("num_frames", pa.int32()), ("senones", pa.large_binary())])


def store_name(senone_set: str) -> str:
    return alignments_store(senone_set)


def encode(ids: Sequence[str], senones: Sequence[npt.NDArray[np.integer]]) -> pa.Table:
    """`senones[i]`: [10 ms frames] ids up to 65,535, or empty if alignment failed."""
    return pa.table(
        {
            "id": list(ids),
            "num_frames": pa.array([len(row) for row in senones], pa.int32()),
            "senones": to_column([row.astype("<u2") for row in senones]),
        },
        schema=SCHEMA,
    )


def decode(table: pa.Table) -> dict[str, npt.NDArray[np.uint16]]:
    return dict(zip(table["id"].to_pylist(), from_column(table["senones"], "<u2", 1), strict=True))
