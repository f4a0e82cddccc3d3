"""A study: a question, the runs that answer it, and what will count as an answer, written before the first run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from ssl_asr.recipe import Recipe
from ssl_asr.recipe.loading import utf8_text, yaml_mapping
from ssl_asr.recipe.section import Section
from ssl_asr.runtime.run_directory import open_recipe

FLOPS = "mflops_per_frame"  # the figure of a transducer's encoder

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Comparison(Section):
    """Whether `candidate` makes fewer word errors than `baseline`; both are VARIANT/SYSTEM, as interleaved/student.

    `at_least` is the criterion, in percent of the baseline's errors. Below zero it asks for no loss: -1 is reached
    where the candidate has at most 1 % more. `published` is the paper's figure, as text. With `figure` that figure of
    the stage's report is compared in place of word errors, such as dev_loss of interleaved/student, or
    bytes_per_frame of interleaved/labelling; less is better.

    With `conditions` word errors are those of test speech in these alone. With `beyond`, other conditions, the
    reduction in `conditions` less that in `beyond` is looked at, and `at_least` is in percentage points. A comparison
    that was thought of after the runs is `exploratory`, and one whose hypothesis is the opposite of what was
    published is `contrary`; both are told as such.
    """

    name: str
    baseline: str
    candidate: str
    at_least: float
    published: str = ""
    figure: str = ""
    conditions: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    exploratory: bool = False
    contrary: bool = False

    @property
    def remarks(self) -> list[str]:
        """What is told beside the verdict."""
        told = {"exploratory": self.exploratory, "against the paper": self.contrary}
        return [remark for remark, holds in told.items() if holds]

    @property
    def what(self) -> str:
        """What is counted, in words."""
        if not self.conditions:
            return self.figure.replace("_", " ") or "word errors"
        counted = f"word errors in {', '.join(self.conditions)}"
        return f"{counted}, beyond those in {', '.join(self.beyond)}" if self.beyond else counted

    @property
    def unit(self) -> str:
        """Of the reduction and of the criterion."""
        return "points" if self.beyond else "%"

    @property
    def systems(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Variant and system of the baseline and of the candidate."""
        first, second = (tuple(each.split("/")) for each in (self.baseline, self.candidate))
        return (first[0], first[1]), (second[0], second[1])

    @model_validator(mode="after")
    def _consistent(self) -> Comparison:
        for each in (self.baseline, self.candidate):
            if each.count("/") != 1 or not all(each.split("/")):
                raise ValueError(f"'{each}' names no system; write VARIANT/SYSTEM, for example all/student")
        if self.figure and (self.conditions or self.beyond):
            raise ValueError(f"'{self.name}' compares {self.figure}; conditions and beyond are of word errors alone")
        if self.beyond and not self.conditions:
            raise ValueError(f"'{self.name}' names conditions in beyond alone; name others in conditions")
        if both := {*self.conditions} & {*self.beyond}:
            raise ValueError(f"'{self.name}' has {min(both)} in conditions and in beyond; name it in one of them")
        return self


class ComputeCurve(Section):
    """A picture of word errors over the FLOPs that encoders take for a second of audio.

    `lines` joins systems, VARIANT/SYSTEM, by what the line is called. `published` are a paper's points by their
    names: FLOPs saved, and more word errors, both in percent of those of the system `beside`.
    """

    beside: str
    lines: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
    published: dict[str, tuple[float, float]] = Field(default_factory=dict)

    def systems(self) -> list[str]:
        return [self.beside, *(each for line in self.lines.values() for each in line)]


class Study(Section):
    """`variants` are overrides of `recipe` by the variant's name; every variant runs with every seed.

    `overrides` are of all variants, before their own. The first variant is the one that others start from a copy of.
    `compute_curve` is drawn above the comparisons.
    """

    name: Name
    question: str
    hypothesis: str
    paper: str = ""
    recipe: str = "demo"
    overrides: tuple[str, ...] = ()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 3)
    variants: Annotated[dict[Name, tuple[str, ...]], Field(min_length=1)]
    comparisons: Annotated[tuple[Comparison, ...], Field(min_length=1)]
    compute_curve: ComputeCurve | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if len({*self.seeds}) < len(self.seeds):
            raise ValueError(f"a seed is there twice in {list(self.seeds)}; every seed is one run of each variant")
        for each in self.comparisons:
            for variant, _ in each.systems:
                if variant not in self.variants:
                    raise ValueError(f"'{each.name}' compares '{variant}'; variants are {', '.join(self.variants)}")
        if self.compute_curve is not None:
            self._check_curve(self.compute_curve)
        return self

    def _check_curve(self, curve: ComputeCurve) -> None:
        scored = {"/".join(each) for each in self.systems()}
        counted = {f"{variant}/{system}" for variant, system, figure in self.figures() if figure == FLOPS}
        for each in curve.systems():
            if each not in scored & counted:
                raise ValueError(
                    f"compute_curve draws '{each}', and no comparisons have both its word errors and its {FLOPS}; "
                    "add them"
                )

    def systems(self) -> list[tuple[str, str]]:
        """Variant and system of all whose word errors are compared, in the order of the comparisons."""
        compared = [each for each in self.comparisons if not each.figure]
        return list(dict.fromkeys(each for comparison in compared for each in comparison.systems))

    def figures(self) -> list[tuple[str, str, str]]:
        """Variant, system and figure of all other comparisons, in their order."""
        compared = [each for each in self.comparisons if each.figure]
        return list(dict.fromkeys((*system, each.figure) for each in compared for system in each.systems))

    def overrides_of(self, variant: str) -> list[str]:
        return [*self.overrides, *self.variants[variant]]


def known_studies() -> list[str]:
    folder = resources.files("ssl_asr") / "studies" / "library"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def read_study(name_or_path: str) -> Study:
    """One of `known_studies`, or a YAML file; ValueError in one sentence if it is neither, or not a valid study."""
    values = yaml_mapping(_text(name_or_path), name_or_path, "the keys of a study; see docs/experiments.md")
    try:
        return Study(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        raise ValueError(f"{name_or_path}: {f'{where}: ' if where else ''}{what}") from None


def with_recipe(study: Study, recipe: str) -> Study:
    """The study with the variants of another recipe, and named after both: "amortised-voices"."""
    short = re.sub("[^a-z0-9]+", "-", recipe.rpartition("/")[2].removesuffix(".yaml").lower()).strip("-")
    return Study(**{**study.model_dump(), "recipe": recipe, "name": f"{study.name}-{short}"})


def recipe_of(study: Study, variant: str, seed: int, run: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of one run of the study; `overrides` are of all its runs."""
    own = [*study.overrides_of(variant), *overrides]
    return open_recipe(study.recipe, [*own, f"run={run}", f"seed={seed}"])


def _text(name_or_path: str) -> str:
    if name_or_path in known_studies():
        return (resources.files("ssl_asr") / "studies" / "library" / f"{name_or_path}.yaml").read_text()
    if Path(name_or_path).is_file():
        return utf8_text(name_or_path)
    near = difflib.get_close_matches(name_or_path, known_studies(), 1) or known_studies()
    raise ValueError(f"there is no study '{name_or_path}', neither a file nor one of ours; try {', '.join(near)}")
