"""The trainings behind a sequence-trained model, derived from the training by cross-entropy."""

from __future__ import annotations

from dataclasses import replace

from ssl_asr.models.systems import first_epoch_name, fold_name, smbr_name
from ssl_asr.recipe import Augmentation, CrossEntropySection, SequenceTraining, SmbrSection
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.phases import sequence_schedule
from ssl_asr.training.schedule import LABELED
from ssl_asr.training.sequence.schedules import fold_schedule, without_fold

DEV = "dev"  # the objective on dev speech, of which no lattices are made: cross-entropy


def makers_of(name: str, settings: SequenceTraining) -> list[str]:
    """The models that make the last lattices for the sequence training of the model `name`."""
    if settings.folds > 1:
        return [fold_name(name, fold) for fold in range(settings.folds)]
    return [first_epoch_name(smbr_name(name)) if settings.epochs > 1 else name]


def smbr_job(trained: TrainingJob, settings: SequenceTraining, inputs: dict[str, str], lattices: str) -> TrainingJob:
    """All epochs, from the model that `trained` has trained, on this store of lattices."""
    labeled = next(source for source in trained.sources if source.name == "labeled")
    objective = SmbrSection(
        kappa=settings.kappa,
        smoothing=settings.smoothing,
        smoothing_weight=settings.smoothing_weight,
        start=model_uri(trained.run, trained.name),
    )
    assert isinstance(trained.reader, SlabReader), "stages read from stores"
    return replace(
        trained,
        name=smbr_name(trained.name),
        inputs=inputs,
        optimiser=settings.optimiser,
        batching=settings.batching,
        augmentation=Augmentation(),  # lattices are of what was said, not of what is hidden
        sync=settings.sync,
        schedule=tuple(sequence_schedule(settings, labeled, range(settings.epochs))),
        sources=(labeled,),
        objectives={LABELED: objective, DEV: CrossEntropySection()},
        dev_objective=DEV,
        reader=replace(trained.reader, target_set=None, selection=None, with_text=False, lattices=lattices),
        start=trained.name,
        counts_posteriors=True,
    )


def first_epoch(job: TrainingJob) -> TrainingJob:
    """The first epoch of an `smbr_job`, as a model of its own: it makes the lattices of the others."""
    inputs = {**job.inputs, "epochs": "the first"}
    return replace(
        job, name=first_epoch_name(job.name), inputs=inputs, schedule=job.schedule[:1], counts_posteriors=False
    )


def other_epochs(job: TrainingJob, lattices: str) -> TrainingJob:
    """What follows the first epoch, on the lattices of its model."""
    assert isinstance(job.reader, SlabReader), "stages read from stores"
    reader = replace(job.reader, lattices=lattices)
    return replace(job, schedule=job.schedule[1:], reader=reader, start=first_epoch_name(job.name))


def fold_jobs(trained: TrainingJob, folds: int, passes: float) -> list[TrainingJob]:
    """Trainings like `trained`, each without the labeled shards whose number modulo `folds` is its own.

    Each goes through the share `passes` of the schedule. ValueError if one has no labeled shard to train on.
    """
    return [_fold_job(trained, fold, folds, passes) for fold in range(folds)]


def _fold_job(trained: TrainingJob, fold: int, folds: int, passes: float) -> TrainingJob:
    sources = tuple(without_fold(source, fold, folds) for source in trained.sources)
    if not all(map(len, sources)):
        raise ValueError(
            f"{trained.run} has too few labeled shards for sequence.folds={folds}; lower it or corpus.shard_minutes"
        )
    return replace(
        trained,
        name=fold_name(trained.name, fold),
        inputs={**trained.inputs, "fold": f"{fold} of {folds}", "share of passes": f"{passes:g}"},
        schedule=tuple(fold_schedule(trained.schedule, trained.sources, sources, passes)),
        sources=sources,
        dev=None,
    )
