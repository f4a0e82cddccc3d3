"""How the model that is adapted was trained."""

from __future__ import annotations

from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.systems import STUDENT, TEACHER, TOPLINE, trained
from ssl_asr.recipe import Recipe
from ssl_asr.training.acoustic_plan import AcousticPlan, baseline_plans, student_plan, teacher_plan, topline_plan
from ssl_asr.training.plan import is_trained


def plan_of(recipe: Recipe, name: str) -> AcousticPlan:
    """How cross-entropy trained the model; ValueError if the run has none of this name, or of another recipe."""
    plan = _plan_of(recipe, name)
    if not is_trained(recipe, plan):
        raise ValueError(f"{recipe.run} has no {name} of today's recipe; run `ssl-asr run {recipe.run}` first")
    return plan


def _plan_of(recipe: Recipe, name: str) -> AcousticPlan:
    if name not in trained(recipe):
        raise ValueError(
            f"'{name}' is no model that {recipe.run} trains by cross-entropy; there are {', '.join(trained(recipe))}"
        )
    if name == STUDENT:
        return student_plan(recipe)
    if name == TEACHER:
        return teacher_plan(recipe, TEACHER, load_senones(recipe.run))
    if name == TOPLINE:
        return topline_plan(recipe)
    return next(plan for plan in baseline_plans(recipe) if plan.name == name)
