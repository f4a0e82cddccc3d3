"""How fast slabs of features and targets become training batches, compared with two other stores and the student.

`python -m jobs.bench.reader RUN [--minutes N]` writes the same labelled speech (frames in half precision, ids and
log-probabilities of the k largest senones) as a WebDataset tar and as lhotse Shar into a temporary folder, reads
each into the same padded chunk batches on one thread, and prints frames a second, in turns in one run. Beside them:
the slab reader with its prefetching thread, and what a student of the published size (5 x 768, 24 M) consumes in
training on this machine. Where the recordings have degraded copies, a line says how fast passes that hear one
version of each are read; its frames are those that are heard. Then one JSON object as the last line. RUN is a run
whose unlabeled speech is labelled.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import lhotse
import numpy as np
import torch
import webdataset
from lhotse.shar import SharWriter

from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_parameters
from ssl_asr.progress import Progress
from ssl_asr.recipe import Batching, LstmNetwork, Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import targets
from ssl_asr.store.reading_ahead import read_ahead
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.data.batches import Batch, batches_of, collated
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import SlabRef
from ssl_asr.training.data.versions import OneVersion
from ssl_asr.training.objectives.soft_cross_entropy import soft_cross_entropy

ROUNDS = 3
TRAINING, ONE_VERSION = "student, 24 M, training", "slab reader, one version"
LOOK_AHEAD = 3
STUDENT = ModelSpec(LstmNetwork(look_ahead=LOOK_AHEAD, dropout=0.0), inputs=192, outputs=3183)
BATCHING = Batching()
# Utterances that are shuffled together in the stores without slabs: about eight minutes of speech.
POOL = 190


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run whose unlabeled speech is labelled")
    parser.add_argument("--minutes", type=float, default=30.0, help="of speech (default: 30)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="ssl-asr-reader-") as folder:
        try:
            speeds = measure(open_recipe(options.run), options.minutes, Path(folder))
        except ValueError as error:
            sys.exit(f"reader: {error}")
    student = speeds.pop(TRAINING)
    show(speeds, student)
    slabs = speeds["slab reader"]
    figures = {
        "reader_frames_per_s": slabs,
        "student_frames_per_s": student,
        "reader_over_student": slabs / student,
        "webdataset_ratio": slabs / speeds["WebDataset tar"],
        "lhotse_shar_ratio": slabs / speeds["lhotse Shar"],
    }
    if ONE_VERSION in speeds:
        figures["one_version_ratio"] = speeds[ONE_VERSION] / slabs
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


def measure(recipe: Recipe, minutes: float, folder: Path) -> dict[str, float]:
    """Frames a second of every reader and of the student; they take turns, and the best round counts."""
    reader, refs = slabs_of(recipe, minutes)
    examples = [example for ref in refs for example in reader.read("unlabeled", ref, 0)]
    frames = sum(len(example.targets.senones) for example in examples)
    write_webdataset(examples, folder / "set.tar")
    write_shar(examples, folder / "shar")

    def slabs() -> Iterator[Example]:
        return (example for ref in refs for example in reader.read("unlabeled", ref, 0))

    def ahead() -> Iterator[Example]:
        return (
            example
            for slab in read_ahead(partial(reader.read, "unlabeled", ref, 0) for ref in refs)
            for example in slab
        )

    def one() -> Iterator[Example]:
        drawing = replace(reader, one_version=OneVersion(recipe.seed))
        return (example for ref in refs for example in drawing.read("unlabeled", replace(ref, sweep=0), 0))

    works: dict[str, Callable[[], int]] = {
        "slab reader": lambda: consume(slabs()),
        "slab reader, read ahead": lambda: consume(ahead()),
        "WebDataset tar": lambda: consume(read_webdataset(folder / "set.tar")),
        "lhotse Shar": lambda: consume(read_shar(folder / "shar")),
        TRAINING: lambda: train(examples),
    }
    if recipe.corpus.unlabeled_copies:
        works[ONE_VERSION] = lambda: consume(one())
    best = dict.fromkeys(works, 0.0)
    progress = Progress("reading", ROUNDS * len(works), "passes")
    for _ in range(ROUNDS):
        for name, work in works.items():
            began = time.perf_counter()
            done = work()
            best[name] = max(best[name], done / (time.perf_counter() - began))
            assert done == frames or name in (TRAINING, ONE_VERSION), "every reader yields the same frames"
            progress.advance(note=name)
    return best


def slabs_of(recipe: Recipe, minutes: float) -> tuple[SlabReader, list[SlabRef]]:
    """Slabs of the run's labelled speech, up to `minutes`; ValueError if there is none."""
    set_id = target_set_id(recipe)
    entries = ShardStore(recipe.run, targets.store_name(set_id)).entries("unlabeled")
    refs = [SlabRef(entry.shard, slab, frames) for entry in entries for slab, frames in enumerate(entry.slabs)]
    kept, seconds = [], 0.0
    for ref in refs:
        if seconds < minutes * 60:
            kept.append(ref)
            seconds += ref.frames * FRAME_SECONDS
    if not kept:
        raise ValueError(
            f"{recipe.run} has no targets in {targets.store_name(set_id)}; run its labelling stage first"
        )
    return SlabReader(recipe.run, recipe.frontend.mel_bins, "", set_id), kept


def consume(examples: Iterable[Example]) -> int:
    """Shuffled, padded batches of chunks from pools of utterances; returns the frames with a target."""
    frames, pool = 0, list[Example]()
    for example in examples:
        pool.append(example)
        if len(pool) == POOL:
            frames += sum(len(batch.senones) for batch in batches(pool))
            pool = []
    return frames + sum(len(batch.senones) for batch in batches(pool))


def batches(pool: list[Example]) -> Iterator[Batch]:
    pieces = batches_of(pool, False, BATCHING, LOOK_AHEAD, np.random.default_rng(0))
    return collated(pieces, LOOK_AHEAD)


def arrays_of(example: Example) -> dict[str, np.ndarray]:
    """The content of the other stores: plain arrays of an utterance, log-probabilities in half precision."""
    posteriors = example.targets.posteriors
    assert posteriors is not None, "soft targets"
    log_probs = np.log(np.maximum(posteriors, 1e-7)).astype(np.float16)
    return {"frames": example.frames, "senones": example.targets.senones, "log_probs": log_probs}


def write_webdataset(examples: list[Example], path: Path) -> None:
    with webdataset.TarWriter(str(path)) as writer:
        for number, example in enumerate(examples):
            arrays = {f"{name}.npy": array for name, array in arrays_of(example).items()}
            writer.write({"__key__": f"{number:08d}", **arrays})


def read_webdataset(path: Path) -> Iterator[Example]:
    for sample in webdataset.WebDataset(str(path), shardshuffle=False).decode():
        posteriors = np.exp(sample["log_probs.npy"].astype(np.float32))
        yield Example(sample["frames.npy"], FrameTargets(sample["senones.npy"], posteriors))


def write_shar(examples: list[Example], folder: Path) -> None:
    folder.mkdir()
    fields = dict.fromkeys(("frames", "senones", "log_probs"), "numpy")
    with SharWriter(str(folder), fields=fields, shard_size=len(examples)) as writer:
        for number, example in enumerate(examples):
            duration = round(len(example.frames) * FRAME_SECONDS, 2)
            cut = lhotse.MonoCut(
                f"{number:08d}",
                start=0,
                duration=duration,
                channel=0,
            )
            for name, array in arrays_of(example).items():
                cut = cut.attach_tensor(name, array, frame_shift=FRAME_SECONDS, temporal_dim=0)
            writer.write(cut)


def read_shar(folder: Path) -> Iterator[Example]:
    for cut in lhotse.CutSet.from_shar(in_dir=str(folder)):
        posteriors = np.exp(cut.load_log_probs().astype(np.float32))
        yield Example(cut.load_frames(), FrameTargets(cut.load_senones(), posteriors))


def train(examples: list[Example]) -> int:
    """Some steps of plain SGD on the soft loss; returns the frames with a target."""
    torch.manual_seed(0)
    model = AcousticModel(STUDENT).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    assert round(count_parameters(model) / 1e6) == 24
    frames = 0
    for step, batch in enumerate(batches(examples[:POOL])):
        if step == 3:
            break
        assert batch.posteriors is not None, "soft targets"
        loss = soft_cross_entropy(model(batch.frames, batch.lengths)[batch.valid], batch.senones, batch.posteriors)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        frames += len(batch.senones)
    return frames


def show(speeds: dict[str, float], student: float) -> None:
    print(f"{'into ready batches':<28}{'frames/s':>12}{'x real time':>14}{'over the student':>18}")
    for name, speed in (*speeds.items(), (TRAINING, student)):
        print(f"{name:<28}{speed:>12,.0f}{speed * FRAME_SECONDS:>14,.0f}{speed / student:>18.1f}")


if __name__ == "__main__":
    main()
