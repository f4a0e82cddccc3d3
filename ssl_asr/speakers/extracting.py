"""An extractor of a run: trained from its features, kept with the key of what it was made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest, inputs_key
from ssl_asr.speakers.extractor import save_extractor
from ssl_asr.speakers.pool import Pool, PoolSettings, read_pool
from ssl_asr.speakers.settings import TrainingSettings
from ssl_asr.speakers.training import ExtractorTraining, Statistics
from ssl_asr.store import features, filesystem
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speakers_layout import extractor_checkpoint_uri, extractor_uri, trained_speakers_uri
from ssl_asr.store.weights import read_description

VERSION = "3"  # raise where equal settings and features give another extractor
_CHECKPOINT_STEPS = 100
_KEY, _LAST = "key", 50


@dataclass(frozen=True)
class Extracted:
    """What is told of a training: `loss` is the mean of the last steps in nats; `kept`: it was trained before.

    Speakers with a `single` utterance and those who may be `several` people were left out.
    """

    speakers: int
    utterances: int
    single: int
    several: int
    loss: float
    kept: bool = False


def train_extractor(recipe: Recipe, name: str, pooled: PoolSettings, settings: TrainingSettings) -> Extracted:
    """Train the run's extractor of this name, from its checkpoint if there is one; one that is up to date is kept.

    ValueError in one sentence where the run's speech can't be trained on so.
    """
    uri, key = extractor_uri(recipe.run, name), _key(recipe, pooled, settings)
    if filesystem.exists(uri) and (about := read_description(uri)).get(_KEY) == key:
        return Extracted(**{**about["told"], "kept": True})
    pool = read_pool(recipe, pooled)
    if pooled.group_tag is not None and not pool.groups and settings.reweighting == "groups":
        raise ValueError(f"no utterance of {' and '.join(pooled.splits)} speech has the tag '{pooled.group_tag}'")
    training = ExtractorTraining(pool, _statistics(recipe.run), settings)
    checkpoint = extractor_checkpoint_uri(recipe.run, name)
    training.load(checkpoint, key)
    progress = Progress("speakers", settings.steps, "steps")
    progress.skip(training.step)

    def after_step() -> None:
        if training.step % _CHECKPOINT_STEPS == 0:
            training.save(checkpoint, key)
        progress.advance()

    training.run(after_step)
    loss = float(np.mean(training.losses[-_LAST:]))
    found = Extracted(len(pool.speakers), len(pool.utterances), pool.single, pool.several, loss)
    _write_speakers(recipe.run, name, pool)
    about = {_KEY: key, "told": asdict(found), "settings": asdict(settings)}
    save_extractor(uri, training.model, about)
    filesystem.delete(checkpoint)
    return found


def _key(recipe: Recipe, pooled: PoolSettings, settings: TrainingSettings) -> str:
    store = ShardStore(recipe.run, features.STORE)
    made_from = {"version": VERSION, "pool": json.dumps(asdict(pooled)), "settings": json.dumps(asdict(settings))}
    for split in pooled.splits:
        made_from[split] = digest([str(each) for each in store.index(split).column("checksum")])
    return inputs_key(made_from)


def _statistics(run: str) -> Statistics:
    mean, deviation = (torch.from_numpy(np.tile(values, STACK)) for values in global_statistics(run))
    return Statistics(mean, deviation)


def _write_speakers(run: str, name: str, pool: Pool) -> None:
    filesystem.write_bytes(trained_speakers_uri(run, name), json.dumps(list(pool.speakers)).encode())


def trained_speakers(run: str, name: str) -> Sequence[str]:
    """Whom the extractor has heard in training; nobody of this run where it was imported."""
    uri = trained_speakers_uri(run, name)
    found: Sequence[str] = json.loads(filesystem.read_bytes(uri)) if filesystem.exists(uri) else []
    return found
