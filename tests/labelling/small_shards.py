"""A run of many small unlabeled shards, so that much can happen between the first and the last."""

from __future__ import annotations

from pathlib import Path

import torch

from ssl_asr.frontend.statistics import global_statistics, sums_of
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import BlstmNetwork, Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store import features
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from tests.labelling.conftest import copy_run

ROWS = 4  # of a shard, in two slabs


def run_of_small_shards(teacher_run: Recipe, run: Path, shards: int) -> Recipe:
    """The run's teacher and utterances, these dealt in turn to so many shards; copies have ids of their own."""
    recipe = copy_run(teacher_run, run, "models")
    source = ShardStore(teacher_run.run, features.STORE)
    tables = (slab for entry in source.entries("unlabeled") for slab in source.read_slabs(entry.shard))
    rows = [row for table in tables for row in features.decode(table, recipe.frontend.mel_bins)]
    for number in range(shards):
        mine = [rows[(number * ROWS + place) % len(rows)] for place in range(ROWS)]
        _publish(recipe, Shard("unlabeled", number), [_renamed(row, number) for row in mine])
    save_recipe(recipe)
    return recipe


def run_with_slow_teacher(feature_run: Recipe, folder: Path) -> Recipe:
    """Its features and an untrained teacher that takes some tenths of a second for a small shard."""
    recipe = copy_run(feature_run, folder, "features", "ledger/features")
    torch.manual_seed(0)
    teacher = AcousticModel(ModelSpec(BlstmNetwork(layers=3, units=256), 192, 90))
    mean, deviation = (torch.from_numpy(values).repeat(3) for values in global_statistics(recipe.run))
    teacher.set_statistics(mean, deviation)
    save_model(model_uri(recipe.run, "teacher"), teacher, {"senone_set": "none"})
    return recipe


def _renamed(row: FeatureRow, number: int) -> FeatureRow:
    return FeatureRow(f"{row.id}-{number}", row.speaker, row.condition, row.frames)


def _publish(recipe: Recipe, shard: Shard, rows: list[FeatureRow]) -> None:
    slabs = [rows[: ROWS // 2], rows[ROWS // 2 :]]
    counts = [sum(len(row.frames) for row in slab) for slab in slabs]
    ShardStore(recipe.run, features.STORE).publish(
        shard,
        features.SCHEMAS[recipe.frontend.feature_bits],
        [features.encode(slab, recipe.frontend.feature_bits) for slab in slabs],
        counts,
        seconds=sum(counts) * features.FRAME_SECONDS,
        parents={"manifest": "none"},
        metadata={"mel_bins": str(recipe.frontend.mel_bins)},
        statistics=sums_of((row.frames for row in rows), recipe.frontend.mel_bins).to_statistics(),
    )
