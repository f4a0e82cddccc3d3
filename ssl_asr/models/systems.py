"""The models that runs train, and the systems that are evaluated: each is listed here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from ssl_asr.recipe import Recipe

ModelName = Literal["teacher", "baseline", "baseline-short", "student", "topline"]
TEACHER: Final = "teacher"
BASELINE: Final = "baseline"
BASELINE_SHORT: Final = "baseline-short"
STUDENT: Final = "student"
TOPLINE: Final = "topline"
# All models that there may be, in the order of training.
MODELS: tuple[ModelName, ...] = (TEACHER, BASELINE, BASELINE_SHORT, STUDENT, TOPLINE)
# Those that dev chooses the baseline of the results from; of equals the first.
BASELINES: tuple[ModelName, ...] = (BASELINE, BASELINE_SHORT)
TITLES = {
    BASELINE: "baseline",
    BASELINE_SHORT: "short baseline",
    TEACHER: "teacher",
    STUDENT: "SSL student",
    TOPLINE: "topline",
}
_COLUMNS: tuple[ModelName, ...] = (BASELINE, BASELINE_SHORT, TEACHER, STUDENT, TOPLINE)
# Models that a recipe need not ask for.
_ASKED_FOR: Mapping[ModelName, Callable[[Recipe], bool]] = {
    BASELINE_SHORT: lambda recipe: recipe.student.shorter_baseline > 0,
    TOPLINE: lambda recipe: recipe.evaluate.topline,
}


def trained(recipe: Recipe) -> tuple[ModelName, ...]:
    """The models that the recipe's stages train, in their order."""
    return tuple(name for name in MODELS if name not in _ASKED_FOR or _ASKED_FOR[name](recipe))


def evaluated(recipe: Recipe) -> tuple[ModelName, ...]:
    """The models whose scales are tuned on dev, in the order of the tables; all but one baseline are tested too."""
    return tuple(name for name in _COLUMNS if name in trained(recipe))


def stage_of(name: ModelName) -> str:
    """The stage that trains the model."""
    return BASELINE if name in BASELINES else name
