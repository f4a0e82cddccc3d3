"""Feature shards: log mel filter-bank energies at 10 ms, speaker mean removed, at 16, 8 or about 2 bits a value.

The three 30 ms feature offsets are views of the same 10 ms frames (`ssl_asr.frontend.stacking`), so they cost no
storage. The network stores and applies global mean and variance, so shards stay valid when audio is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store import cosine_codec
from ssl_asr.store.arrays import from_column, to_column
from ssl_asr.store.feature_codec import Quantised, quantise, restore
from ssl_asr.store.layout import FEATURES

STORE = FEATURES
FRAME_SECONDS = 0.01

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("speaker", pa.string()),
        ("condition", pa.string()),
        ("num_frames", pa.int32()),
        ("features", pa.large_binary()),  # float16 [frames, bins]
    ]
)
# The same with uint8 `features`: a value is low + step x code, with a low and a step for each bin of the utterance.
SCHEMA_8_BIT = pa.schema([*SCHEMA, ("low", pa.list_(pa.float32())), ("step", pa.list_(pa.float32()))])
# The same with codes of the cosine transform of blocks of frames.
SCHEMA_2_BIT = pa.schema([*(field for field in SCHEMA if field.name != "features"), *cosine_codec.FIELDS])
SCHEMAS = {16: SCHEMA, 8: SCHEMA_8_BIT, 2: SCHEMA_2_BIT}
# Lengths of rows apart from the bytes, which are then like each other.
COLUMN_ENCODING = {2: dict.fromkeys(cosine_codec.BYTES, "DELTA_LENGTH_BYTE_ARRAY")}


@dataclass(frozen=True)
class FeatureRow:
    """One utterance; `frames` is float [10 ms frames, mel bins]."""

    id: str
    speaker: str
    condition: str
    frames: npt.NDArray[np.floating]


def encode(rows: Sequence[FeatureRow], bits: int = 16, step: float = cosine_codec.STEP) -> pa.Table:
    """A slab; `step` is that of 2 bits. ValueError at 2 bits if a value is not finite or beyond 128 nats."""
    columns = {
        "id": [row.id for row in rows],
        "speaker": [row.speaker for row in rows],
        "condition": [row.condition for row in rows],
        "num_frames": pa.array([len(row.frames) for row in rows], pa.int32()),
    }
    if bits == 16:
        columns["features"] = to_column([row.frames.astype("<f2") for row in rows])
    elif bits == 2:
        columns |= cosine_codec.encode([row.frames for row in rows], step)
    else:
        coded = [quantise(row.frames) for row in rows]
        columns["features"] = to_column([each.codes for each in coded])
        columns["low"] = pa.array([each.low for each in coded], pa.list_(pa.float32()))
        columns["step"] = pa.array([each.step for each in coded], pa.list_(pa.float32()))
    return pa.table(columns, schema=SCHEMAS[bits])


def decode(table: pa.Table, mel_bins: int) -> list[FeatureRow]:
    """Rows of read-only float16 frames; they are views of the table if it holds 16 bits.

    All readers hear these values, to the bit. ValueError if a row is damaged.
    """
    if cosine_codec.CODES[0] in table.column_names:
        frames = cosine_codec.decode(table, mel_bins)
    elif "step" in table.column_names:
        codes = from_column(table["features"], "u1", mel_bins)
        ranges = (np.array(table[name].to_pylist(), np.float32) for name in ("low", "step"))
        frames = [restore(Quantised(*row)) for row in zip(codes, *ranges, strict=True)]
    else:
        frames = from_column(table["features"], "<f2", mel_bins)
    names = (table[name].to_pylist() for name in ("id", "speaker", "condition"))
    return [FeatureRow(*row) for row in zip(*names, frames, strict=True)]
