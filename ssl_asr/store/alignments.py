"""Alignment shards: one senone for every 10 ms frame of the same row of the features.

An utterance that could not be aligned keeps its row, with no frames, so that rows match by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store.arrays import from_column, to_column
from ssl_asr.store.layout import alignments_store

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("num_frames", pa.int32()),
        ("senones", pa.large_binary()),
        ("margin", pa.float32()),
        ("confidence", pa.float32()),
        ("weight", pa.float32()),
    ]
)


@dataclass(frozen=True)
class Confidence:
    """How far an alignment is to be believed, and its `weight` in training.

    `margin` is the log-likelihood in nats a frame by which the utterance's text explains the audio better than the
    best of other texts; `probability` is that of the text belonging to the audio. Both are None where no other text
    was tried.
    """

    margin: float | None = None
    probability: float | None = None
    weight: float = 1.0


def store_name(alignment_set: str) -> str:
    return alignments_store(alignment_set)


def encode(
    ids: Sequence[str],
    senones: Sequence[npt.NDArray[np.integer]],
    confidences: Sequence[Confidence] | None = None,
) -> pa.Table:
    """`senones[i]`: [10 ms frames] ids up to 65,535, or empty if alignment failed."""
    confidences = confidences or [Confidence()] * len(ids)
    return pa.table(
        {
            "id": list(ids),
            "num_frames": pa.array([len(row) for row in senones], pa.int32()),
            "senones": to_column([row.astype("<u2") for row in senones]),
            "margin": pa.array([each.margin for each in confidences], pa.float32()),
            "confidence": pa.array([each.probability for each in confidences], pa.float32()),
            "weight": pa.array([each.weight for each in confidences], pa.float32()),
        },
        schema=SCHEMA,
    )


def decode(table: pa.Table) -> dict[str, npt.NDArray[np.uint16]]:
    """Senones [10 ms frames] by utterance, in the order of the rows."""
    return dict(zip(table["id"].to_pylist(), from_column(table["senones"], "<u2", 1), strict=True))


def decode_confidences(table: pa.Table) -> list[Confidence]:
    """Of each row."""
    columns = (table[name].to_pylist() for name in ("margin", "confidence", "weight"))
    return [Confidence(*row) for row in zip(*columns, strict=True)]
