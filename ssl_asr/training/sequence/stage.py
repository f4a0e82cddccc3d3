"""Sequence training within the stage of a model: lattices by Ray actors, then sMBR from the finished model.

Epoch 1 learns from lattices of the model at the start, the others from lattices of the model after epoch 1. Where
there are fold models, their lattices serve all epochs: another model has heard the speech before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ssl_asr.decoding.graph_files import make_graph
from ssl_asr.models.model_files import made_from
from ssl_asr.models.systems import settings_of, smbr_name, stage_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime import cluster
from ssl_asr.runtime.job_runner import run_shard_jobs
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.runtime.stage_report import check_reject_share, keep_rejects
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.layout import LATTICES, owner_of_lattices, store_folder
from ssl_asr.store.ledger import Reject
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.objectives.smbr import EXPECTED_ACCURACY
from ssl_asr.training.sequence.inputs import smbr_inputs
from ssl_asr.training.sequence.jobs import first_epoch, fold_jobs, makers_of, other_epochs, smbr_job
from ssl_asr.training.sequence.lattice_job import LatticeJob
from ssl_asr.training.sequence.lattice_sets import SPLIT, LatticeSet, lattice_set

Train = Callable[[TrainingJob], object]


def is_sequence_trained(recipe: Recipe, name: str) -> bool:
    """Whether the run has today's sequence-trained model of the model `name`, which is there."""
    return made_from(model_uri(recipe.run, smbr_name(name))) == smbr_inputs(recipe, name)


def train_sequence(recipe: Recipe, trained: TrainingJob, train: Train) -> list[Reject]:
    """Make lattices and train on them what follows `trained`; what is there already stays. `train` trains a job.

    Returns the utterances that have no lattice to train on. ValueError if there are too many of them.
    """
    settings = settings_of(recipe, trained.name).sequence
    makers = [trained]
    if settings.folds > 1:
        makers = fold_jobs(trained, settings.folds, settings.fold_passes)
        for maker in makers:
            _ensure(maker, train)
    lattices, rejects = _make(recipe, trained.name, [maker.name for maker in makers])
    whole, used = smbr_job(trained, settings, smbr_inputs(recipe, trained.name), lattices), [lattices]
    if settings.epochs > 1 and settings.folds == 1:
        first = first_epoch(whole)
        _ensure(first, train)
        lattices, later = _make(recipe, trained.name, [first.name])
        rejects, whole, used = [*rejects, *later], other_epochs(whole, lattices), [*used, lattices]
    train(whole)
    _delete_others(recipe.run, trained.name, used)
    return sorted(set(rejects), key=lambda reject: reject.id)


def sequence_figures(recipe: Recipe, name: str) -> dict[str, float | str]:
    """Of the last lattices that the model `name` was trained on, and of the end of that training."""
    curve = read_curve(recipe.run, smbr_name(name))
    blocks, dev = ([record for record in curve if kind in record] for kind in (EXPECTED_ACCURACY, "dev_loss"))
    figures: dict[str, float | str] = {}
    if blocks:
        figures["smbr_expected_accuracy"] = blocks[-1][EXPECTED_ACCURACY]
    if dev:
        figures |= {"smbr_dev_loss": dev[-1]["dev_loss"], "smbr_dev_accuracy": dev[-1]["dev_frame_accuracy"]}
    models = makers_of(name, settings_of(recipe, name).sequence)
    if all(filesystem.exists(model_uri(recipe.run, model)) for model in models):
        index = ShardStore(recipe.run, lattice_set(recipe, name, models).store).index(SPLIT)
        figures |= {f"lattice_{each}": index.mean(each) for each in ("density", "oracle_accuracy")}
    return figures


def _ensure(job: TrainingJob, train: Train) -> None:
    if made_from(model_uri(job.run, job.name)) != job.inputs:
        train(job)


def _make(recipe: Recipe, owner: str, models: Sequence[str]) -> tuple[str, list[Reject]]:
    """Name of the finished store, and the utterances that it has no lattice of."""
    wanted = lattice_set(recipe, owner, models)
    cluster.as_task(make_graph)(recipe.run, wanted.settings.lm_order, wanted.graph)
    stage = _shard_stage(recipe, wanted)
    aligned = set(ShardStore(recipe.run, alignments.store_name(wanted.alignment_set)).shards(SPLIT))
    todo = [shard for shard in stage.unfinished() if shard in aligned]
    what = f"lattices of {' and '.join(models)}"
    failed = run_shard_jobs(what, todo, partial(LatticeJob, wanted), skipped=len(aligned) - len(todo))
    outcome = stage.tidy(failed, most=None)  # the stage counts what it lists
    keep_rejects(recipe, stage_of(owner), outcome.rejects)  # the sentence of too many names their file
    check_reject_share(recipe, stage_of(owner), outcome.lost, outcome.rows)
    return wanted.store, outcome.rejects


def _shard_stage(recipe: Recipe, wanted: LatticeSet) -> ShardStage:
    source, store = ShardStore(recipe.run, features.STORE), ShardStore(recipe.run, wanted.store)
    return ShardStage(recipe, source, store, (SPLIT,), wanted.parents)


def _delete_others(run: str, owner: str, used: Sequence[str]) -> None:
    """Lattices of models that are no more: they are large, and nothing asks for them again."""
    for store in _stores(run, owner):
        if store not in used:
            ShardStore(run, store).delete()


def _stores(run: str, owner: str) -> list[str]:
    found = [f"{LATTICES}/{name}" for name in filesystem.list_folders(store_folder(run, LATTICES))]
    return [store for store in found if owner_of_lattices(store) == owner]
