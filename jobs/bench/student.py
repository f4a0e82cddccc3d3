"""What the benchmarks of training share: a student of the published size and a run's labelled speech for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.recipe import Recipe, Student, load_recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.pipeline import NAMES, run_stage
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.store import features, targets
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.batches import Batch, batches_of, collated
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import Source, source_of
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.schedule import UNLABELED, Phase

SENONES = 3183  # the senones of a smaller run's targets are among these numbers
# Enough speech for some shards, and a teacher with little training: its quality does not change the speed.
SMALL = ["corpus.labeled_minutes=10", "corpus.unlabeled_minutes=36", "teacher.labeled_passes=1", "hmm.senones=200"]


@dataclass(frozen=True)
class TrainedStudent:
    """A student of a recipe, for one worker's blocks, and its number of senones."""

    section: Student
    senones: int


def published(block_slabs: int) -> TrainedStudent:
    """5 x 768 units, 24 M parameters, with the optimiser of `paper` on chunks of 32 frames, 32 to a batch."""
    return TrainedStudent(_student("paper", block_slabs, "student.batching.batch_chunks=32"), SENONES)


def small(block_slabs: int, senones: int) -> TrainedStudent:
    """The student of `demo`: 2 x 192 units, and senones enough for the run's targets."""
    return TrainedStudent(_student("demo", block_slabs), max(load_recipe("demo").hmm.senones, senones))


def _student(preset: str, block_slabs: int, *overrides: str) -> Student:
    return load_recipe(preset, [f"student.sync.block_slabs={block_slabs}", *overrides]).student


def labelled_run(run: str | None, folder: str) -> Recipe:
    """A finished run, or a small one made in `folder`; ValueError if the run has no targets."""
    if run is not None:
        recipe = open_recipe(run)
    else:
        recipe = load_recipe("demo", [f"run={folder}", *SMALL])
        save_recipe(recipe)
        with joined():
            for stage in NAMES[: NAMES.index("labelling") + 1]:
                run_stage(stage, recipe)
    if not ShardStore(recipe.run, _target_store(recipe)).entries("unlabeled"):
        raise ValueError(f"{recipe.run} has no targets in {_target_store(recipe)}; run its labelling stage first")
    return recipe


def _target_store(recipe: Recipe) -> str:
    return targets.store_name(target_set_id(recipe))


def job_of(recipe: Recipe, student: TrainedStudent, slabs: int) -> TrainingJob:
    """One phase of so many labelled slabs, in chunks."""
    labelled = {entry.shard for entry in ShardStore(recipe.run, _target_store(recipe)).entries("unlabeled")}
    finished = ShardStore(recipe.run, features.STORE).index("unlabeled")
    source = source_of("unlabeled", "unlabeled", finished, recipe.seed).only(labelled)
    mean, deviation = global_statistics(recipe.run)
    section = student.section
    return TrainingJob(
        run=recipe.run,
        name="bench",
        inputs={"bench": "1"},
        spec=ModelSpec(section.network, 64 * STACK, student.senones),
        optimiser=section.optimiser,
        batching=section.batching,
        augmentation=section.augmentation,
        sync=section.sync,
        seed=recipe.seed,
        schedule=(Phase("unlabeled", 0, slabs, section.optimiser.learning_rate, 0, False, objective=UNLABELED),),
        sources=(source,),
        objectives={UNLABELED: section.unlabeled_objective},
        dev=None,
        dev_objective=UNLABELED,
        reader=SlabReader(recipe.run, recipe.frontend.mel_bins, "", target_set_id(recipe)),
        mean=mean,
        deviation=deviation,
    )


def batches_in_memory(job: TrainingJob, first: int, count: int) -> list[Batch]:
    """Ready batches of the slabs `first` to `first + count` of the job's source."""
    source: Source = job.sources[0]
    refs = [source.at(place) for place in range(first, first + count)]
    examples = [example for ref in refs for example in job.reader.read(source.name, ref, 0)]
    look_ahead = job.spec.network.look_ahead
    pieces = batches_of(examples, False, job.batching, look_ahead, np.random.default_rng(first))
    return list(collated(pieces, look_ahead))
