"""The models that runs train, and the systems that are evaluated: each is listed here and nowhere else.

Where a network's `sequence` section says so, its stage trains two models: "teacher" by cross-entropy, and from it
"teacher-smbr".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from ssl_asr.recipe import Recipe, Student, Teacher
from ssl_asr.recipe.identity import Product

ModelName = Literal[
    "aligner-1", "aligner-2", "aligner-3", "teacher", "baseline", "baseline-short", "student", "topline"
]
TEACHER: Final = "teacher"
BASELINE: Final = "baseline"
BASELINE_SHORT: Final = "baseline-short"
STUDENT: Final = "student"
TOPLINE: Final = "topline"
REALIGN: Final = "realign"  # the stage of the aligners
# Networks like the teacher that only align speech again, by the round.
ALIGNERS: tuple[ModelName, ...] = ("aligner-1", "aligner-2", "aligner-3")
# All other models that there may be, in the order of training.
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
_ADAPTED = "adapted-"
_SMBR = "-smbr"
SMBR_BASELINES = tuple(name + _SMBR for name in BASELINES)
TITLES |= {name + _SMBR: f"{title} sMBR" for name, title in TITLES.items()}


def trained(recipe: Recipe) -> tuple[ModelName, ...]:
    """The models that the recipe's stages train, in their order."""
    return tuple(name for name in MODELS if name not in _ASKED_FOR or _ASKED_FOR[name](recipe))


def evaluated(recipe: Recipe) -> tuple[str, ...]:
    """The models whose scales are tuned on dev, in the order of the tables; after each, what sMBR has made of it.

    All but one baseline are tested too.
    """
    wanted = (name for name in _COLUMNS if name in trained(recipe))
    return tuple(each for name in wanted for each in dict.fromkeys((name, final_name(recipe, name))))


def smbr_name(name: str) -> str:
    """The model that sequence training makes of the model `name`."""
    return name + _SMBR


def first_epoch_name(smbr: str) -> str:
    """The model after the first epoch of the training of the model `smbr`; it makes the lattices of the others."""
    return f"{smbr}-first"


def encoder_name(transducer: str) -> str:
    """The model of senones that gives the transducer its encoder, where its section has `senone_passes`."""
    return f"{transducer}-senones"


def fold_name(name: str, fold: int) -> str:
    """A model trained like `name`, without one fold of the labeled speech."""
    return f"{name}-fold-{fold}"


def adapted_name(name: str, how: str) -> str:
    """The model that adaptation to a cohort makes of the model `name`."""
    return f"{_ADAPTED}{name}-{how}"


def adapted_from(name: str, models: Iterable[str]) -> str | None:
    """The one of these models that adaptation has made the model `name` of; None if it has not."""
    found = [each for each in models if name.startswith(f"{_ADAPTED}{each}-")]
    return max(found, key=len, default=None)  # "baseline-short" before "baseline"


def is_adapted(name: str) -> bool:
    return name.startswith(_ADAPTED)


def product_of(name: ModelName) -> Product:
    """What the recipe's fields for this model are marked with."""
    return TEACHER if name == "aligner-1" or name == "aligner-2" or name == "aligner-3" else name


def stage_of(name: str) -> str:
    """The stage that trains it: that of "teacher-smbr" is "teacher". Another name is its own stage."""
    if name in ALIGNERS:
        return REALIGN
    stages = (TEACHER, BASELINE, STUDENT, TOPLINE)
    return next((stage for stage in stages if f"{name}-".startswith(f"{stage}-")), name)


def models_of_stage(recipe: Recipe, stage: str) -> tuple[str, ...]:
    """The models that the stage trains; after those by cross-entropy, what sequence training makes of them."""
    names = [name for name in trained(recipe) if stage_of(name) == stage]
    return tuple(dict.fromkeys((*names, *(final_name(recipe, name) for name in names))))


def settings_of(recipe: Recipe, name: str) -> Teacher | Student:
    """The section that says how the model is trained: as the teacher, or as the student."""
    return recipe.teacher if stage_of(name) in (TEACHER, REALIGN) else recipe.student


def final_name(recipe: Recipe, name: str) -> str:
    """What the stage of the model `name` ends with: after sequence training, if the recipe wants it."""
    wanted = name in MODELS and settings_of(recipe, name).sequence.epochs > 0
    return smbr_name(name) if wanted else name


def teachers_of(recipe: Recipe) -> tuple[str, ...]:
    """The models that label, by the names of their files."""
    return tuple(final_name(recipe, name) for name in recipe.labelling.teachers)
