"""Codecs of stored features: bytes a frame, error, speed, and the frame accuracy that trained networks lose by them.

`python -m jobs.bench.feature_codec RUN [--split test]` writes the split's features as the store does, at 16, 8 and 2
bits, these with several steps of quantisation. It reads them back and runs the run's teacher and student on them.
RUN is a run whose models are trained and whose features have 16 bits.

The table has bytes of a 10 ms frame; those that an ideal code of each coefficient would need (2 bits, by shard); the
root mean square and the largest error in nats; 10 ms frames a second of processor time, to the bytes of the file and
from them, the best of three; frame accuracy against the alignments. The last line is one JSON object about the codec
marked *: `accuracy_loss_points` is the larger loss of the two networks against 16 bits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from threadpoolctl import threadpool_limits

from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.teachers import NetworkLabeller
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.models.model_files import load_model
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import alignments, features
from ssl_asr.store.cosine_codec import STEP, quantise
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.shards import ShardStore, to_parquet
from ssl_asr.store.training_layout import model_uri

MODELS = ("teacher", "student")
ROUNDS = 3
Labels = dict[str, npt.NDArray[np.uint16]]
Slabs = list[list[FeatureRow]]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Codec:
    bits: int
    step: float = STEP

    @property
    def name(self) -> str:
        chosen = " *" if self == CHOSEN else ""
        return f"{self.bits} bits" + (f", step {self.step:g}{chosen}" if self.bits == 2 else "")

    def write(self, slabs: Slabs) -> bytes:
        tables, encoding = [features.encode(slab, self.bits, self.step) for slab in slabs], features.COLUMN_ENCODING
        return to_parquet(features.SCHEMAS[self.bits], tables, encoding.get(self.bits), encoding.get(self.bits, ()))


@dataclass
class Cost:
    """Sums over the split; `entropy` in bytes, seconds of a processor, `hits` are right frames of each network."""

    bytes: int = 0
    entropy: float = 0.0
    write_seconds: float = 0.0
    read_seconds: float = 0.0
    squares: float = 0.0
    largest: float = 0.0
    hits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 0))


CHOSEN = Codec(2)
CODECS = (Codec(16), Codec(8), *(Codec(2, step) for step in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)))


@dataclass
class Bench:
    """`frames` of 10 ms and their `values`, `labelled` frames of 30 ms, and what each codec costs."""

    frames: int = 0
    values: int = 0
    labelled: int = 0
    costs: dict[Codec, Cost] = field(default_factory=lambda: {codec: Cost() for codec in CODECS})

    def accuracy(self, codec: Codec, model: str) -> float:
        """In %."""
        return 100 * self.costs[codec].hits[model] / max(self.labelled, 1)

    def row(self, codec: Codec) -> str:
        cost = self.costs[codec]
        error = (cost.squares / max(self.values, 1)) ** 0.5
        return (
            f"{codec.name:<18}{cost.bytes / self.frames:>13.2f}{cost.entropy / self.frames:>13.2f}"
            f"{error:>13.3f}{cost.largest:>13.3f}"
            f"{self.frames / cost.write_seconds:>13,.0f}{self.frames / cost.read_seconds:>13,.0f}"
            + "".join(f"{self.accuracy(codec, model):>13.3f}" for model in MODELS)
        )

    def figures(self) -> dict[str, float]:
        cost, whole = self.costs[CHOSEN], CODECS[0]
        losses = [self.accuracy(whole, model) - self.accuracy(CHOSEN, model) for model in MODELS]
        return {
            "bytes_per_frame": round(cost.bytes / self.frames, 2),
            "accuracy_loss_points": round(max(losses), 3),
            "decode_frames_per_s": round(self.frames / cost.read_seconds),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run with a trained teacher and student")
    parser.add_argument("--split", default="test", help="an aligned split (default: test)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    try:
        with threadpool_limits(1):
            bench = measure(open_recipe(options.run), options.split)
    except ValueError as error:
        sys.exit(f"feature_codec: {error}")
    columns = (
        "bytes/frame",
        "entropy",
        "rms error",
        "largest",
        "written/s",
        "read/s",
        *(f"{model} %" for model in MODELS),
    )
    print(f"{bench.frames:,} frames".ljust(18) + "".join(column.rjust(13) for column in columns))
    for codec in CODECS:
        print(bench.row(codec))
    print(json.dumps(bench.figures()))


def measure(recipe: Recipe, split: str) -> Bench:
    """ValueError if the run lacks the split or a model, or its features have no 16 bits."""
    if recipe.frontend.feature_bits != CODECS[0].bits:
        raise ValueError(f"{recipe.run} has features at {recipe.frontend.feature_bits} bits; name a run with 16")
    models = {name: NetworkLabeller(load_model(model_uri(recipe.run, name))[0]) for name in MODELS}
    bench = Bench()
    for slabs, labels in _shards(recipe, split):
        frames = sum(len(row.frames) for slab in slabs for row in slab)
        bench.frames += frames
        bench.values += frames * recipe.frontend.mel_bins
        bench.labelled += sum(len(each) for each in labels.values())
        for codec, cost in bench.costs.items():
            stored = _through(codec, slabs, recipe.frontend.mel_bins, cost)
            for name, model in models.items():
                cost.hits[name] += sum(_hits(model, slab, labels, recipe.labelling.batch_frames) for slab in stored)
    return bench


def _through(codec: Codec, slabs: Slabs, bins: int, cost: Cost) -> Slabs:
    """What comes back of `slabs`; adds what it costs."""
    seconds, data = _timed(lambda: codec.write(slabs))
    cost.bytes += len(data)
    if codec.bits == 2:
        cost.entropy += _entropy([row.frames for slab in slabs for row in slab], codec.step)
    cost.write_seconds += seconds
    seconds, stored = _timed(lambda: _read(data, bins))
    cost.read_seconds += seconds
    for slab, back in zip(slabs, stored, strict=True):
        for row, heard in zip(slab, back, strict=True):
            gaps = heard.frames.astype(np.float64) - row.frames
            cost.squares += float(np.square(gaps).sum())
            cost.largest = max(cost.largest, float(np.abs(gaps).max(initial=0)))
    return stored


def _entropy(utterances: Sequence[npt.NDArray[np.floating]], step: float) -> float:
    """Bytes of all codes, if each coefficient had an ideal code of its own."""
    bits = 0.0
    for codes in quantise(utterances, step).T:
        counts = np.unique(codes, return_counts=True)[1]
        bits -= float((counts * np.log2(counts / len(codes))).sum())
    return bits / 8


def _read(data: bytes, bins: int) -> Slabs:
    file = pq.ParquetFile(pa.BufferReader(data))
    return [features.decode(file.read_row_group(slab), bins) for slab in range(file.num_row_groups)]


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Least processor time of `ROUNDS`, and what came of the last."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        result = work()
        times.append(time.process_time() - begin)
    return min(times), result


def _shards(recipe: Recipe, split: str) -> Iterator[tuple[Slabs, Labels]]:
    """Rows of each shard of the split by slab, and the 30 ms labels of those that are aligned."""
    store = ShardStore(recipe.run, features.STORE)
    aligned = ShardStore(recipe.run, alignments.store_name(load_senones(recipe.run).alignment_set))
    entries = aligned.entries(split)
    if not entries:
        raise ValueError(f"{recipe.run} has no alignments of the split '{split}'; run its hmm stage first")
    progress = Progress("all codecs", len(entries), "shards")
    for entry in entries:
        slabs = [features.decode(slab, recipe.frontend.mel_bins) for slab in store.read_slabs(entry.shard)]
        labels = alignments.decode(aligned.read(entry.shard))
        yield slabs, {name: stack_labels(each) for name, each in labels.items()}
        progress.advance()


def _hits(model: NetworkLabeller, rows: Sequence[FeatureRow], labels: Labels, batch_frames: int) -> int:
    lengths = [len(labels[row.id]) for row in rows]
    hits = 0
    for batch in batches_of_like_length(lengths, batch_frames):
        inputs = [torch.from_numpy(stack(rows[index].frames).astype(np.float32)) for index in batch]
        for index, log_probs in zip(batch, model.log_probabilities(inputs), strict=True):
            known = labels[rows[index].id]
            hits += int((log_probs.argmax(dim=1).numpy()[: len(known)] == known).sum())
    return hits


if __name__ == "__main__":
    main()
