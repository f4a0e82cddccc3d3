"""Features at 16 and at 8 bits: bytes a frame, and the frame accuracy that a trained network loses with fewer bits.

`python -m jobs.bench.feature_codec RUN [--split test]` writes the split's features both ways as the store does, runs
the run's teacher and student on both, and prints bytes a 10 ms frame, the largest error and frame accuracy against
the alignments; then one JSON object as the last line. RUN is a run whose models are trained.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.teachers import NetworkLabeller
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.models.model_files import load_model
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import alignments, features
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.layout import model_uri
from ssl_asr.store.shards import ShardStore

MODELS = ("teacher", "student")
Labels = dict[str, npt.NDArray[np.uint16]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run with a trained teacher and student")
    parser.add_argument("--split", default="test", help="an aligned split (default: test)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        figures = measure(open_recipe(options.run), options.split)
    except ValueError as error:
        sys.exit(f"feature_codec: {error}")
    print(f"{'':<12}{'bytes/frame':>14}{'largest error':>16}" + "".join(f"{name + ' %':>12}" for name in MODELS))
    for bits in (16, 8):
        row = f"{bits} bits".ljust(12) + f"{figures[f'bytes_per_frame_{bits}']:>14.1f}"
        row += f"{figures['largest_error_8'] if bits == 8 else 0:>16.3f}"
        print(row + "".join(f"{figures[f'{name}_accuracy_{bits}']:>12.3f}" for name in MODELS))
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def measure(recipe: Recipe, split: str) -> dict[str, float]:
    """Accuracies in %; ValueError if the run lacks the split or a model."""
    models = {name: NetworkLabeller(load_model(model_uri(recipe.run, name))[0]) for name in MODELS}
    sums = dict.fromkeys([f"{name}_accuracy_{bits}" for name in MODELS for bits in (16, 8)], 0.0)
    sizes, frames, labelled, worst = {16: 0, 8: 0}, 0, 0, 0.0
    for rows, labels in _slabs(recipe, split):
        tables = {bits: features.encode(rows, bits) for bits in (16, 8)}
        for bits, table in tables.items():
            sizes[bits] += _size(table)
            stored = features.decode(table, recipe.frontend.mel_bins)
            for name, model in models.items():
                hits = _hits(model, stored, labels, recipe.labelling.batch_frames)
                sums[f"{name}_accuracy_{bits}"] += hits
        frames += sum(len(row.frames) for row in rows)
        labelled += sum(len(each) for each in labels.values())
        for row, back in zip(rows, features.decode(tables[8], recipe.frontend.mel_bins), strict=True):
            gaps = np.abs(back.frames.astype(np.float32) - row.frames)
            worst = max(worst, float(gaps.max(initial=0)))
    accuracies = {name: 100 * hits / max(labelled, 1) for name, hits in sums.items()}
    bytes_per_frame = {f"bytes_per_frame_{bits}": size / max(frames, 1) for bits, size in sizes.items()}
    return bytes_per_frame | {"largest_error_8": worst} | accuracies


def _slabs(recipe: Recipe, split: str) -> Iterator[tuple[list[FeatureRow], Labels]]:
    """Rows of each slab of the split, and the 30 ms labels of those that are aligned."""
    store = ShardStore(recipe.run, features.STORE)
    aligned = ShardStore(recipe.run, alignments.store_name(load_senones(recipe.run).alignment_set))
    entries = aligned.entries(split)
    if not entries:
        raise ValueError(f"{recipe.run} has no alignments of the split '{split}'; run its hmm stage first")
    progress = Progress("both widths", sum(len(entry.slabs) for entry in entries), "slabs")
    for entry in entries:
        for slab in range(len(entry.slabs)):
            labels = alignments.decode(aligned.read_slab(entry.shard, slab))
            rows = features.decode(store.read_slab(entry.shard, slab), recipe.frontend.mel_bins)
            yield rows, {name: stack_labels(each) for name, each in labels.items()}
            progress.advance()


def _size(table: pa.Table) -> int:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    return buffer.tell()


def _hits(model: NetworkLabeller, rows: list[FeatureRow], labels: Labels, batch_frames: int) -> int:
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
