"""Target shards: the k largest teacher posteriors of every 30 ms frame (feature offset 0), through the top-k codec.

The columns are plain Parquet lists, one row an utterance, so that pyarrow, pandas and DuckDB read them
(docs/formats.md). `kept` is the number of entries of each frame. `senones` and `rises` hold the entries of all
frames, frame after frame, largest first. The log-probability of an entry, up to the frame's normalisation, is minus
`ssl_asr.step_nats` (in the footer) times the sum of the frame's rises up to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store import top_k_codec
from ssl_asr.store.layout import targets_store
from ssl_asr.store.top_k_codec import Encoded, SparseTargets, TopKCodec

FRAME_SECONDS = 0.03

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("num_frames", pa.int32()),
        ("confidence", pa.float32()),  # the teacher's largest posterior, mean over the utterance; 0 without a frame
        ("kept", pa.list_(pa.uint16())),
        ("senones", pa.list_(pa.uint16())),
        ("rises", pa.list_(pa.uint8())),
    ]
)
# This encoding stores planes of bytes: the high bytes of small numbers then compress to almost nothing.
COLUMN_ENCODING = {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in ("kept", "senones", "rises")}
MOST_K = 1001  # with the tail; a damaged footer must not make the reader allocate more
_K, _STEP, _TAIL = b"ssl_asr.k", b"ssl_asr.step_nats", b"ssl_asr.tail"


@dataclass(frozen=True)
class TargetRow:
    """One utterance, decoded for the training loop."""

    id: str
    confidence: float
    targets: SparseTargets


def store_name(set_id: str) -> str:
    """`set_id` identifies a teacher and all settings of its labelling: another k or codec is another store."""
    return targets_store(set_id)


def codec_metadata(codec: TopKCodec, tail: int | None = None) -> dict[str, str]:
    """The codec's settings for the footer; they are enough to decode without a recipe.

    `tail` is the number that stands for all senones that a frame does not keep: that of all senones.
    """
    return {
        _K.decode(): str(codec.k),
        _STEP.decode(): repr(codec.step),
        "ssl_asr.mass_floor": repr(codec.mass_floor),
        "ssl_asr.frame_seconds": str(FRAME_SECONDS),
        **({} if tail is None else {_TAIL.decode(): str(tail)}),
    }


def encode(ids: Sequence[str], confidences: Sequence[float], frames: Sequence[int], slab: Encoded) -> pa.Table:
    """Rows of the utterances `ids` with `frames` frames each; their frames follow one another in `slab`."""
    frame_ends = np.concatenate([[0], np.cumsum(frames)]).astype(np.int32)
    entry_ends = np.concatenate([[0], np.cumsum(slab.kept, dtype=np.int32)])[frame_ends]
    columns = {
        "id": list(ids),
        "num_frames": pa.array(frames, pa.int32()),
        "confidence": pa.array(confidences, pa.float32()),
        "kept": pa.ListArray.from_arrays(frame_ends, pa.array(slab.kept)),
        "senones": pa.ListArray.from_arrays(entry_ends, pa.array(slab.senones)),
        "rises": pa.ListArray.from_arrays(entry_ends, pa.array(slab.rises)),
    }
    return pa.table(columns, schema=SCHEMA)


def decode(table: pa.Table) -> list[TargetRow]:
    """The rows of a slab; ValueError if its columns contradict each other or the codec's settings are missing."""
    k, step = codec_of(table.schema.metadata)
    flat = Encoded(_values(table["kept"]), _values(table["senones"]), _values(table["rises"]))
    frames = table["num_frames"].to_numpy()
    if frames.sum() != len(flat.kept):
        raise ValueError(f"{frames.sum()} frames by num_frames, {len(flat.kept)} by kept")
    every = top_k_codec.decode(flat, k, step)
    ends = np.cumsum(frames).tolist()
    return [
        TargetRow(
            name, confidence, SparseTargets(every.senones[end - count : end], every.log_probs[end - count : end])
        )
        for name, confidence, count, end in zip(
            table["id"].to_pylist(), table["confidence"].to_pylist(), frames.tolist(), ends, strict=True
        )
    ]


def codec_of(metadata: Mapping[bytes, bytes] | None) -> tuple[int, float]:
    """(k, step) from a shard's footer."""
    if not metadata or _K not in metadata or _STEP not in metadata:
        raise ValueError("a shard of targets without ssl_asr.k and ssl_asr.step_nats in its footer")
    k, step = int(metadata[_K]), float(metadata[_STEP])
    if not (1 <= k <= MOST_K and 0 < step <= top_k_codec.RANGE_NATS):
        raise ValueError(f"a shard of targets whose footer says ssl_asr.k={k} and ssl_asr.step_nats={step}")
    return k, step


def tail_of(metadata: Mapping[bytes, bytes]) -> int | None:
    """The senone of the tail in a shard whose `codec_of` is right; None where it has none."""
    return int(metadata[_TAIL]) if _TAIL in metadata else None


def without_tail(kept: SparseTargets, tail: int) -> SparseTargets:
    """The senones alone, with their probabilities of all: a frame's tail becomes a place after its kept entries."""
    is_tail_tk = kept.senones == tail
    order_tk = np.argsort(is_tail_tk, axis=1, kind="stable")
    senones_tk = np.where(is_tail_tk, np.uint16(0), kept.senones)
    log_probs_tk = np.where(is_tail_tk, np.float32(-np.inf), kept.log_probs)
    return SparseTargets(np.take_along_axis(senones_tk, order_tk, 1), np.take_along_axis(log_probs_tk, order_tk, 1))


def _values(column: pa.ChunkedArray) -> npt.NDArray:
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
