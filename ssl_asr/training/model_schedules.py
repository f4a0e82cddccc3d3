"""The schedule of each model of a recipe, by the model's name."""

from __future__ import annotations

from ssl_asr.models.systems import ALIGNERS, BASELINE, STUDENT, TEACHER, TOPLINE, ModelName
from ssl_asr.recipe import Recipe
from ssl_asr.training.data.sources import Source
from ssl_asr.training.phases import (
    baseline_schedule,
    shorter_schedule,
    student_schedule,
    teacher_schedule,
    topline_schedule,
)
from ssl_asr.training.schedule import Phase


def schedule_of(recipe: Recipe, name: ModelName, labeled: Source, unlabeled: Source) -> list[Phase]:
    if name in (TEACHER, *ALIGNERS):
        return teacher_schedule(recipe.teacher, labeled)
    phases = student_schedule(recipe.student, labeled, unlabeled)
    if name == STUDENT:
        return phases
    share = recipe.student.selected_share
    if name == TOPLINE:
        return topline_schedule(phases, share)
    matched = baseline_schedule(phases, labeled, unlabeled, share)
    return matched if name == BASELINE else shorter_schedule(matched, recipe.student.shorter_baseline)
