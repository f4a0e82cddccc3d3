"""Target shards: the k largest teacher logits of every 30 ms frame (feature offset 0).

Ids are uint16, logits float16, both [frames, k], largest first (Parthasarathi et al. 2019: k = 20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store.arrays import from_column, to_column

FRAME_SECONDS = 0.03

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("num_frames", pa.int32()),
        ("senones", pa.large_binary()),
        ("logits", pa.large_binary()),
    ]
)


@dataclass(frozen=True)
class TopK:
    """`senones` uint16 and `logits` float16, both [30 ms frames, k], by falling logit."""

    senones: npt.NDArray[np.uint16]
    logits: npt.NDArray[np.float16]


def store_name(teacher_id: str) -> str:
    return f"targets/{teacher_id}"


def encode(ids: Sequence[str], targets: Sequence[TopK]) -> pa.Table:
    return pa.table(
        {
            "id": list(ids),
            "num_frames": pa.array([len(row.senones) for row in targets], pa.int32()),
            "senones": to_column([row.senones.astype("<u2") for row in targets]),
            "logits": to_column([row.logits.astype("<f2") for row in targets]),
        },
        schema=SCHEMA,
    )


def decode(table: pa.Table, k: int) -> dict[str, TopK]:
    senones = from_column(table["senones"], "<u2", k)
    logits = from_column(table["logits"], "<f2", k)
    return {
        name: TopK(*pair)
        for name, pair in zip(table["id"].to_pylist(), zip(senones, logits, strict=True), strict=True)
    }
