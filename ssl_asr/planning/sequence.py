"""How long sequence training takes: fold models, lattices, and sMBR from every model that the recipe wants it for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ssl_asr.models.systems import settings_of, smbr_name
from ssl_asr.planning.facts import LATTICE_SPEED, SMBR_COST, Fact
from ssl_asr.planning.numbers import number
from ssl_asr.planning.speech import Speech, TrainingSpeech
from ssl_asr.planning.training_times import Training, training_time
from ssl_asr.planning.wall_time import Hardware, StageTime, on_cores
from ssl_asr.recipe import Recipe


def sequence_times(
    recipe: Recipe, speech: Speech, start: Fact, trainings: Mapping[str, Training], cluster: Hardware
) -> list[StageTime]:
    """After the trainings by cross-entropy, by their names; none where the recipe has no sequence training."""
    wanted = [each for each in trainings.values() if settings_of(recipe, each.name).sequence.epochs]
    if not wanted:
        return []
    found = [training_time(recipe, each, start, cluster) for training in wanted for each in _folds(recipe, training)]
    found.append(_lattices(recipe, speech, start, wanted, cluster))
    cost = SMBR_COST[cluster.devices.kind]
    return found + [training_time(recipe, _smbr(recipe, speech, each, cost), start, cluster) for each in wanted]


def _folds(recipe: Recipe, training: Training) -> list[Training]:
    """All fold models of a model as one training: each leaves out one part of the labeled speech."""
    sequence = settings_of(recipe, training.name).sequence
    if sequence.folds == 1:
        return []
    heard, folds = training.trained_on, sequence.folds
    # Each leaves out a part of the labeled speech. All hear all of the unlabeled speech, which only students have.
    trainings = heard.labeled_share * (folds - 1) + (1 - heard.labeled_share) * folds
    shorter = heard.times(sequence.fold_passes * trainings)
    return [replace(training, name=f"{training.name}-fold", trained_on=shorter)]


def _lattices(recipe: Recipe, speech: Speech, start: Fact, wanted: list[Training], cluster: Hardware) -> StageTime:
    sets = 0
    for training in wanted:
        sequence = settings_of(recipe, training.name).sequence
        sets += 1 if sequence.folds > 1 or sequence.epochs == 1 else 2
    labeled = speech.labeled.value
    formula = f"{sets} x {number(labeled)} h / {LATTICE_SPEED.value:,.0f} x real time"
    return on_cores("lattices", sets * labeled / LATTICE_SPEED.value, start, cluster, formula, LATTICE_SPEED.source)


def _smbr(recipe: Recipe, speech: Speech, training: Training, cost: Fact) -> Training:
    settings = settings_of(recipe, training.name)
    stored = speech.labeled.value
    heard = speech.clean_labeled.value if settings.versions == "one" else stored
    rate = Fact(training.rate.value * cost.value, f"{training.rate.source}; x {cost.value:g}, {cost.source}")
    return Training(
        smbr_name(training.name),
        training.network,
        TrainingSpeech(0.0, heard * settings.sequence.epochs, heard / stored),
        settings.sequence.optimiser,
        settings.sequence.batching,
        settings.sequence.sync,
        rate,
    )
