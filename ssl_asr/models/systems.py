"""The models that runs train, and the systems that are evaluated: each is listed here and nowhere else."""

from __future__ import annotations

from typing import Final, Literal

from ssl_asr.recipe import Recipe

ModelName = Literal["teacher", "baseline", "student", "topline"]
TEACHER: Final = "teacher"
BASELINE: Final = "baseline"
STUDENT: Final = "student"
TOPLINE: Final = "topline"
MODELS: tuple[ModelName, ...] = (TEACHER, BASELINE, STUDENT, TOPLINE)  # in the order of training
TITLES = {BASELINE: "baseline", TEACHER: "teacher", STUDENT: "SSL student", TOPLINE: "topline"}
_COLUMNS: tuple[ModelName, ...] = (BASELINE, TEACHER, STUDENT, TOPLINE)


def trained(recipe: Recipe) -> tuple[ModelName, ...]:
    """The models that the recipe's stages train, in their order."""
    return tuple(name for name in MODELS if name != TOPLINE or recipe.evaluate.topline)


def evaluated(recipe: Recipe) -> tuple[ModelName, ...]:
    """The models that are decoded and scored, in the order of the tables."""
    return tuple(name for name in _COLUMNS if name in trained(recipe))
