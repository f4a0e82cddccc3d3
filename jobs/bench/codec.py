"""Size, loss and speed of the top-k codec on a run's own teacher posteriors, compared with other formats.

`python -m jobs.bench.codec RUN [--minutes N]` labels some of the run's unlabeled speech with its teacher, writes the
targets in every format as Parquet files, and prints for each: bytes a frame of the file, KL(top-k || decoded) in nats
(mean and 99.9th percentile over frames), frames a second of one core for encoding and for decoding, files included.
Then one JSON object as the last line: the figures of the recipe's default format. RUN is a run whose teacher is
trained and whose features are made, such as runs/laptop after `ssl-asr run laptop`.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.progress import Progress
from ssl_asr.recipe import Labelling
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import features, targets, top_k_codec
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.top_k_codec import SparseTargets, TopKCodec

ROUNDS = 3


@dataclass(frozen=True)
class Posteriors:
    """The teacher's k largest of every frame, `senones` and `log_probs` [frames, k], and frames by utterance."""

    senones: npt.NDArray[np.uint16]
    log_probs: npt.NDArray[np.float32]
    frames: tuple[int, ...]

    def first(self, k: int) -> Posteriors:
        return Posteriors(self.senones[:, :k], self.log_probs[:, :k], self.frames)


@dataclass(frozen=True)
class Format:
    """A format for targets: `write` returns a file's bytes, `read` decodes them."""

    name: str
    k: int
    write: Callable[[Posteriors], bytes]
    read: Callable[[bytes], SparseTargets]


@dataclass(frozen=True)
class Row:
    name: str
    bytes_per_frame: float
    kl_mean_nats: float
    kl_p999_nats: float
    encode_frames_per_s: float
    decode_frames_per_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run with a trained teacher")
    parser.add_argument("--minutes", type=float, default=30.0, help="of unlabeled speech (default: 30)")
    options = parser.parse_args()
    try:
        posteriors = label(options.run, options.minutes)
    except ValueError as error:
        sys.exit(f"codec: {error}")
    k = posteriors.senones.shape[1]
    rows = [measure(each, posteriors) for each in formats(k)]
    show(rows, len(posteriors.senones), int(posteriors.senones.max()) + 1)
    default = next(row for row in rows if row.name.endswith("*"))
    print(json.dumps({name: round(value, 6) for name, value in vars(default).items() if name != "name"}))


def label(run: str, minutes: float) -> Posteriors:
    """Labels unlabeled shards by the run's teacher, up to `minutes`; ValueError if the run lacks either."""
    recipe = open_recipe(run)
    job = LabelJob(recipe)
    wanted, labels = minutes * 60 / FRAME_SECONDS, []
    progress = Progress("labelling", round(minutes), "minutes")
    for entry in ShardStore(recipe.run, features.STORE).entries("unlabeled"):
        for table in job.source.read_slabs(entry.shard):
            rows = features.decode(table, recipe.frontend.mel_bins)
            labels += [each for each, _ in job.label([row.frames for row in rows])]
            done = sum(len(each.senones) for each in labels)
            progress.advance(min(round(done * FRAME_SECONDS / 60), progress.total) - progress.done)
            if done >= wanted:
                return _joined(labels)
    return _joined(labels)


def _joined(labels: Sequence[Any]) -> Posteriors:
    if not labels:
        raise ValueError("the run has no unlabeled features; run its frontend stage first")
    return Posteriors(
        np.concatenate([each.senones for each in labels]),
        np.concatenate([each.log_probs for each in labels]),
        tuple(len(each.senones) for each in labels),
    )


def formats(k: int) -> list[Format]:
    """Formats from the simplest to the densest; a star marks the recipe's default."""
    plain = [plain_format(k, "none", "plain fp16 + uint16"), plain_format(k, "zstd", "the same, zstd")]
    default = Labelling(k=k)
    codecs = [TopKCodec(k, bits) for bits in (8, 7, 6, 5)]
    codecs += [TopKCodec(k, 8, floor) for floor in (1e-4, 5e-4, 2e-3, 1e-2)]
    codecs += [TopKCodec(k // 2, 8)]
    starred = TopKCodec(k, default.value_bits, default.mass_floor)
    coded = [coded_format(codec, "*" if codec == starred else "") for codec in codecs]
    return [*plain, levels_format(k), *coded]


def plain_format(k: int, compression: str, name: str) -> Format:
    """Ids and half-precision log-probabilities as raw bytes."""

    def write(kept: Posteriors) -> bytes:
        columns = {"senones": [kept.senones.tobytes()], "log_probs": [kept.log_probs.astype("<f2").tobytes()]}
        return _file(pa.table(columns, pa.schema([(name, pa.large_binary()) for name in columns])), compression)

    def read(data: bytes) -> SparseTargets:
        table = pq.read_table(io.BytesIO(data))
        senones, halves = (table[name][0].as_buffer() for name in ("senones", "log_probs"))
        log_probs = np.frombuffer(halves, "<f2").reshape(-1, k).astype(np.float32)
        return SparseTargets(np.frombuffer(senones, "<u2").reshape(-1, k), _normalised(log_probs))

    return Format(name, k, write, read)


def levels_format(k: int) -> Format:
    """Steps below the largest at 8 bits as raw bytes: quantised, without entropy coding."""
    codec = TopKCodec(k, 8)

    def write(kept: Posteriors) -> bytes:
        encoded = top_k_codec.encode(kept.senones, kept.log_probs, codec)
        levels = np.cumsum(encoded.rises.reshape(-1, k), axis=1, dtype=np.uint8)
        columns = {"senones": [encoded.senones.tobytes()], "levels": [levels.tobytes()]}
        return _file(pa.table(columns, pa.schema([(name, pa.large_binary()) for name in columns])), "none")

    def read(data: bytes) -> SparseTargets:
        table = pq.read_table(io.BytesIO(data))
        senones, levels = (table[name][0].as_buffer() for name in ("senones", "levels"))
        below = np.frombuffer(levels, "u1").reshape(-1, k).astype(np.float32) * np.float32(codec.step)
        return SparseTargets(np.frombuffer(senones, "<u2").reshape(-1, k), _normalised(-below))

    return Format("8-bit levels + uint16", k, write, read)


def coded_format(codec: TopKCodec, mark: str) -> Format:
    """What the target store writes, by the same functions."""

    def write(kept: Posteriors) -> bytes:
        encoded = top_k_codec.encode(kept.senones, kept.log_probs, codec)
        ids = [str(number) for number in range(len(kept.frames))]
        table = targets.encode(ids, [0.0] * len(ids), kept.frames, encoded)
        return _file(table.replace_schema_metadata(targets.codec_metadata(codec)), "zstd", targets.COLUMN_ENCODING)

    def read(data: bytes) -> SparseTargets:
        rows = [row.targets for row in targets.decode(pq.read_table(io.BytesIO(data)))]
        return SparseTargets(
            np.concatenate([row.senones for row in rows]), np.concatenate([row.log_probs for row in rows])
        )

    floor = f", floor {codec.mass_floor:g}" if codec.mass_floor else ""
    return Format(f"coded k {codec.k}, {codec.value_bits}-bit{floor} {mark}".strip(), codec.k, write, read)


def _file(table: pa.Table, compression: str, encoding: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=compression, use_dictionary=False, column_encoding=encoding)
    return buffer.getvalue()


def _normalised(log_probs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return log_probs - np.log(np.exp(log_probs).sum(axis=1, keepdims=True))


def measure(form: Format, posteriors: Posteriors) -> Row:
    """KL is against the original k largest, also for formats that keep fewer of them."""
    kept = posteriors.first(form.k)
    encode_s, data = _fastest(lambda: form.write(kept))
    decode_s, decoded = _fastest(lambda: form.read(data))
    missing = posteriors.senones.shape[1] - form.k
    padded = SparseTargets(
        np.pad(decoded.senones, ((0, 0), (0, missing))),
        np.pad(decoded.log_probs, ((0, 0), (0, missing)), constant_values=-np.inf),
    )
    kl = top_k_codec.added_kl(posteriors.senones, posteriors.log_probs, padded)
    frames = len(posteriors.senones)
    return Row(
        form.name,
        len(data) / frames,
        float(kl.mean()),
        float(np.quantile(kl, 0.999)),
        frames / encode_s,
        frames / decode_s,
    )


def _fastest(work: Callable[[], Any]) -> tuple[float, Any]:
    """The least processor time of several rounds, in seconds, and the result."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        result = work()
        spent.append(time.process_time() - began)
    return min(spent), result


def show(rows: Sequence[Row], frames: int, senones: int) -> None:
    print(
        f"{frames} frames of real posteriors over at least {senones} senones; KL in nats; * is the recipe's default"
    )
    print(f"{'format':<32}{'bytes/frame':>12}{'KL mean':>11}{'KL p99.9':>11}{'encode/s':>12}{'decode/s':>12}")
    for row in rows:
        print(
            f"{row.name:<32}{row.bytes_per_frame:>12.1f}{row.kl_mean_nats:>11.2e}{row.kl_p999_nats:>11.2e}"
            f"{row.encode_frames_per_s:>12,.0f}{row.decode_frames_per_s:>12,.0f}"
        )


if __name__ == "__main__":
    main()
