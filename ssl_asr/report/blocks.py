"""How far the trainings of a stage are, in blocks."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.models.systems import ModelName, encoder_name, settings_of, stage_of, trained
from ssl_asr.recipe import Heard, Recipe
from ssl_asr.report.learning_curves import LearningCurve, curve_of
from ssl_asr.runtime.todo import TRANSDUCERS
from ssl_asr.store.layout import FEATURES
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.run_sources import versions_of_pass
from ssl_asr.training.data.sources import Source, SourceName, source_of
from ssl_asr.training.sequence.schedules import Scheduled, trainings_of
from ssl_asr.training.transducer.schedule import encoder_schedule, transducer_schedule

SPLITS: tuple[SourceName, ...] = ("labeled", "unlabeled")  # of training


def trained_blocks(recipe: Recipe, stage: str) -> tuple[int, int | None]:
    """Blocks in the curves of a stage's trainings, and all blocks of their schedules for the same number of workers.

    The total is None where it is not known yet.
    """
    trainings = _trainings(recipe, stage)
    if not trainings:
        models = [model for model in trained(recipe) if stage_of(model) == stage]
        return sum(len(curve.blocks) for model in models if (curve := curve_of(recipe.run, model))), None
    curves = _curves(recipe.run, trainings)
    if not curves:
        return 0, None
    workers = curves[-1].blocks[-1].workers
    return sum(len(curve.blocks) for curve in curves), sum(each.blocks(workers) for each in trainings)


def aligner_blocks(recipe: Recipe, name: ModelName) -> tuple[int, int | None]:
    """The same of one network of the realign stage."""
    curve, (labeled, unlabeled) = curve_of(recipe.run, name), _sources(recipe, recipe.teacher.versions)
    if curve is None:
        return 0, None
    whole, *_ = trainings_of(recipe, name, labeled, unlabeled)
    return len(curve.blocks), whole.blocks(curve.blocks[-1].workers)


def _curves(run: str, trainings: Sequence[Scheduled]) -> list[LearningCurve]:
    """Up to that of the training under way; if there are more, they are of an earlier model."""
    curves = []
    for training in trainings:
        curve = curve_of(run, training.model)
        if curve is None:
            break
        curves.append(curve)
        if curve.blocks[-1].phase < len(training.schedule) - 1:
            break
    return curves


def _trainings(recipe: Recipe, stage: str) -> list[Scheduled]:
    """In their order: those of the models, then sequence training. None while there is no speech to plan with."""
    if stage == TRANSDUCERS:
        return _transducers(recipe)
    labeled, unlabeled = _sources(recipe, settings_of(recipe, stage).versions)
    if not len(labeled) or not len(unlabeled):
        return []
    models = [model for model in trained(recipe) if stage_of(model) == stage]
    by_model = [trainings_of(recipe, model, labeled, unlabeled) for model in models]
    return [first for first, *_ in by_model] + [each for _, *later in by_model for each in later]


def _transducers(recipe: Recipe) -> list[Scheduled]:
    """In the recipe's order, after the encoders that learn senones. Unlabeled speech counts with words or not."""
    before, found = [], []
    for name, settings in recipe.transducers.items():
        labeled, unlabeled = _sources(recipe, settings.versions)
        if not len(labeled) or (settings.unlabeled_passes and not len(unlabeled)):
            return []
        if settings.senone_passes:
            before.append(Scheduled(encoder_name(name), encoder_schedule(settings, labeled), settings.sync))
        schedule = transducer_schedule(settings, labeled, unlabeled if settings.unlabeled_passes else None)
        found.append(Scheduled(name, schedule, settings.sync))
    return before + found


def _sources(recipe: Recipe, heard: Heard) -> list[Source]:
    """Labeled and unlabeled speech as a model hears it."""
    store = ShardStore(recipe.run, FEATURES)
    return [
        source_of(split, split, store.index(split), recipe.seed, versions_of_pass(recipe.corpus, split, heard))
        for split in SPLITS
    ]
