"""The calibration of a run's teacher, measured once and kept beside its targets: `targets/<set>/calibration.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.calibration import Bin, Table, calibrate, empty_table
from ssl_asr.labelling.teachers import load_teacher, target_set_id
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import as_task, joined
from ssl_asr.store import alignments, features, filesystem, hmm_layout, layout
from ssl_asr.store.ledger import LedgerEntry
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN

SPLIT = "dev"


@dataclass(frozen=True)
class Summary:
    """A table of calibration as it is kept."""

    confidence: float
    accuracy: float
    expected_error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Calibration:
    """By frame and by utterance; `parents` are the checksums of the dev shards that were measured."""

    parents: tuple[str, ...]
    frames: int
    by_frame: Summary
    by_utterance: Summary


def calibration_uri(recipe: Recipe) -> str:
    return layout.calibration_uri(recipe.run, target_set_id(recipe))


def read_calibration(recipe: Recipe) -> Calibration | None:
    """The stored calibration of the recipe's target set, or None; ValueError naming a damaged file."""
    uri = calibration_uri(recipe)
    if not filesystem.exists(uri):
        return None
    try:
        values = json.loads(filesystem.read_bytes(uri))
        summaries = {name: _summary(values[name]) for name in ("by_frame", "by_utterance")}
        return Calibration(tuple(values["parents"]), values["frames"], **summaries)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{uri} is not a whole calibration ({error}); delete it and run labelling again") from error


def calibration_figures(recipe: Recipe) -> dict[str, float | str]:
    """Measure the teacher's calibration unless it is stored; returns figures for the labelling stage.

    Without aligned dev speech nothing can be measured, and the figure says so. ValueError if a dev shard is damaged.
    """
    pairs = _dev(recipe)
    if not pairs:
        return {"calibration": "not measured: there is no aligned dev speech"}
    parents = tuple(entry.checksum for pair in pairs for entry in pair)
    kept = read_calibration(recipe)
    if kept is None or kept.parents != parents:
        kept = _measured_on_ray(recipe, parents)
        filesystem.write_bytes(calibration_uri(recipe), json.dumps(asdict(kept), indent=1).encode())
    return {"dev_confidence": kept.by_frame.confidence, "calibration_error": kept.by_frame.expected_error}


def measure(recipe: Recipe, parents: tuple[str, ...] = ()) -> Calibration:
    """Measure the teacher on all aligned clean dev speech, in this process."""
    teacher, by_frame, by_utterance = load_teacher(recipe), empty_table(), empty_table()
    for features_entry, _ in _dev(recipe):
        examples = list(_aligned(recipe, features_entry))
        lengths = [len(labels) for _, labels in examples]
        for batch in batches_of_like_length(lengths, recipe.labelling.batch_frames):
            frames = [torch.from_numpy(examples[index][0].astype(np.float32)) for index in batch]
            for index, log_probs_ts in zip(batch, teacher.log_probabilities(frames), strict=True):
                frame, utterance = calibrate(log_probs_ts.cpu().numpy(), examples[index][1])
                by_frame, by_utterance = by_frame + frame, by_utterance + utterance
    return Calibration(parents, int(by_frame.frames.sum()), _summarise(by_frame), _summarise(by_utterance))


def _measured_on_ray(recipe: Recipe, parents: tuple[str, ...]) -> Calibration:
    """By as much of the cluster as an actor has."""
    gpus = 1.0 if recipe.cluster.use_gpu else 0.0
    with joined():
        return as_task(measure, recipe.cluster.cpus_per_worker, gpus)(recipe, parents)


def _dev(recipe: Recipe) -> list[tuple[LedgerEntry, LedgerEntry]]:
    """Features and alignments of each dev shard that has both."""
    if not filesystem.exists(hmm_layout.senones_uri(recipe.run)):
        return []
    store = ShardStore(recipe.run, alignments.store_name(load_senones(recipe.run).alignment_set))
    aligned = {entry.shard: entry for entry in store.entries(SPLIT)}
    made = ShardStore(recipe.run, features.STORE).entries(SPLIT)
    pairs = [(entry, aligned[entry.shard]) for entry in made if entry.shard in aligned]
    # If the features were made again since, old alignments belong to other frames.
    return [pair for pair in pairs if pair[1].parents.get("features") == pair[0].checksum]


def _aligned(recipe: Recipe, entry: LedgerEntry) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(stacked frames, senone of each) of a shard's clean utterances that are aligned and long enough for a frame."""
    source = ShardStore(recipe.run, features.STORE)
    store = ShardStore(recipe.run, alignments.store_name(load_senones(recipe.run).alignment_set))
    for frames, labels_table in zip(source.read_slabs(entry.shard), store.read_slabs(entry.shard), strict=True):
        senones = alignments.decode(labels_table)
        for row in features.decode(frames, recipe.frontend.mel_bins):
            labels = stack_labels(senones[row.id])
            if len(labels) and row.condition == CLEAN:
                yield stack(row.frames), labels


def _summarise(table: Table) -> Summary:
    return Summary(table.mean_confidence, table.accuracy, table.expected_error, tuple(table.bins()))


def _summary(values: dict[str, Any]) -> Summary:
    return Summary(**{**values, "bins": tuple(Bin(**each) for each in values["bins"])})
