"""Feature shards: log mel filter-bank energies at 10 ms, speaker mean removed, in half precision.

The three 30 ms feature offsets are views of the same 10 ms frames (`ssl_asr.frontend.stacking`), so they cost
no storage. Global mean and variance are applied by the network, which carries them; shards stay valid when
audio is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store.arrays import from_column, to_column

STORE = "features"
FRAME_SECONDS = 0.01

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("speaker", pa.string()),
        ("condition", pa.string()),
        ("num_frames", pa.int32()),
        ("features", pa.large_binary()),
    ]
)


@dataclass(frozen=True)
class FeatureRow:
    """One utterance; `frames` is float [10 ms frames, mel bins]."""

    id: str
    speaker: str
    condition: str
    frames: npt.NDArray[np.floating]


def encode(rows: Sequence[FeatureRow]) -> pa.Table:
    return pa.table(
        {
            "id": [row.id for row in rows],
            "speaker": [row.speaker for row in rows],
            "condition": [row.condition for row in rows],
            "num_frames": pa.array([len(row.frames) for row in rows], pa.int32()),
            "features": to_column([row.frames.astype("<f2") for row in rows]),
        },
        schema=SCHEMA,
    )


def decode(table: pa.Table, mel_bins: int) -> list[FeatureRow]:
    """Rows whose frames are float16 views of the table, not to be written to."""
    frames = from_column(table["features"], "<f2", mel_bins)
    names = (table[name].to_pylist() for name in ("id", "speaker", "condition"))
    return [FeatureRow(*row) for row in zip(*names, frames, strict=True)]
