"""The trainings of a model with their schedules: by cross-entropy, and what sequence training adds to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.models.systems import ModelName, first_epoch_name, fold_name, settings_of, smbr_name
from ssl_asr.recipe import Recipe, SequenceTraining, Sync
from ssl_asr.training.data.sources import Source
from ssl_asr.training.model_schedules import schedule_of
from ssl_asr.training.phases import sequence_schedule, shortened
from ssl_asr.training.schedule import Phase


@dataclass(frozen=True)
class Scheduled:
    """One training: the model that it makes, and how its blocks are cut."""

    model: str
    schedule: Sequence[Phase]
    sync: Sync

    def blocks(self, workers: int) -> int:
        """With so many workers from beginning to end."""
        return sum(math.ceil(phase.count / (self.sync.block_slabs * workers)) for phase in self.schedule)


def trainings_of(recipe: Recipe, name: ModelName, labeled: Source, unlabeled: Source) -> list[Scheduled]:
    """The training of the model `name`, and those of its sequence training, in their order."""
    settings = settings_of(recipe, name)
    whole = Scheduled(name, schedule_of(recipe, name, labeled, unlabeled), settings.sync)
    return [whole, *_sequence_trainings(whole, settings.sequence, labeled, unlabeled)]


def _sequence_trainings(
    whole: Scheduled, settings: SequenceTraining, labeled: Source, unlabeled: Source
) -> list[Scheduled]:
    name, sources, found = whole.model, (labeled, unlabeled), []
    if not settings.epochs:
        return []
    if settings.folds > 1:
        for fold in range(settings.folds):
            left = [without_fold(source, fold, settings.folds) for source in sources]
            part = fold_schedule(whole.schedule, sources, left, settings.fold_passes)
            found.append(Scheduled(fold_name(name, fold), part, whole.sync))
    epochs = sequence_schedule(settings, labeled, range(settings.epochs))
    if settings.folds == 1 and len(epochs) > 1:
        found.append(Scheduled(first_epoch_name(smbr_name(name)), epochs[:1], settings.sync))
        epochs = epochs[1:]
    return [*found, Scheduled(smbr_name(name), epochs, settings.sync)]


def without_fold(source: Source, fold: int, folds: int) -> Source:
    """Unlabeled speech stays: its targets are a teacher's, not labels that are known by heart."""
    if source.name != "labeled":
        return source
    return source.only([shard for shard in source.shards if shard.number % folds != fold])


def fold_schedule(
    schedule: Sequence[Phase], before: Sequence[Source], after: Sequence[Source], passes: float
) -> list[Phase]:
    """This share of the passes of `schedule`, which is for the sources `before`, over the sources `after`."""
    shares = {left.name: passes * len(left) / len(whole) for whole, left in zip(before, after, strict=True)}
    return shortened(schedule, shares)
