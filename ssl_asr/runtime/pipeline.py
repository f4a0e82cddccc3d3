"""The stages in the order of `ssl-asr run`, and the stages that each of them needs.

This table imports nothing, so that `ssl-asr --help` is instant; a stage's module is imported when it runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl_asr.recipe import Recipe
    from ssl_asr.runtime.stage_report import StageReport
    from ssl_asr.runtime.todo import Todo


@dataclass(frozen=True)
class Stage:
    """One step: `does` is what a person reads of it, `needs` the stages whose outputs it reads.

    `may_need` gives more of these where the recipe makes the stage read more. `exclusive` says that two processes
    must not do it at once. `wanted_if` is the path of the recipe's value that asks for it; without one, every recipe
    does. `counts` is what its report has the number of.
    """

    name: str
    module: str
    does: str
    needs: tuple[str, ...] = ()
    may_need: Callable[[Recipe], Iterable[str]] = lambda recipe: ()
    exclusive: bool = False
    wanted_if: str = ""
    counts: str = "shards"

    def wanted(self, recipe: Recipe) -> bool:
        return not self.wanted_if or bool(attrgetter(self.wanted_if)(recipe))

    def function(self) -> Callable[[Recipe], StageReport]:
        run: Callable[[Recipe], StageReport] = getattr(importlib.import_module(self.module), f"run_{self.name}")
        return run

    def todo_function(self) -> Callable[[Recipe, Sequence[Todo]], list[Todo]]:
        found: Callable[[Recipe, Sequence[Todo]], list[Todo]]
        found = getattr(importlib.import_module(self.module), f"todo_{self.name}")
        return found


def _read_by_transducers(recipe: Recipe) -> Iterator[str]:
    """A transducer learns words, so of what follows the front end it needs only what its section asks for."""
    if recipe.hmm.wrong_texts != "keep" or any(each.senone_passes for each in recipe.transducers.values()):
        yield "realign"
    for each in recipe.transducers.values():
        if each.encoder_from:
            yield each.encoder_from
        if each.unlabeled_passes:
            yield "hypotheses"


def _read_by_hypotheses(recipe: Recipe) -> Iterator[str]:
    """The run's network that recognises, which is named as its stage is; who is of elsewhere needs features alone."""
    if recipe.hypotheses.teacher in NAMES:
        yield str(recipe.hypotheses.teacher)


STAGES = (
    Stage("corpus", "ssl_asr.corpus.stage", "lists the speech and cuts it into disjoint splits and shards"),
    Stage("frontend", "ssl_asr.frontend.stage", "turns audio into log mel filter-bank features", ("corpus",)),
    Stage(
        "hmm",
        "ssl_asr.hmm.stage",
        "aligns the labeled speech and ties its triphones into senones",
        ("corpus", "frontend"),
    ),
    Stage(
        "realign",
        "ssl_asr.training.realign",
        "aligns all of that again by a network, if the recipe asks for it",
        ("hmm",),
        exclusive=True,
        wanted_if="hmm.realign",
        counts="networks and shards",
    ),
    Stage(
        "teacher",
        "ssl_asr.training.stage",
        "trains a bidirectional LSTM on the labeled speech",
        ("realign",),
        exclusive=True,
        counts="slabs",
    ),
    Stage(
        "labelling",
        "ssl_asr.labelling.stage",
        "stores the teacher's largest posteriors of every unlabeled frame",
        ("teacher",),
    ),
    Stage(
        "baseline",
        "ssl_asr.training.stage",
        "trains the student's network on the labeled speech only",
        ("realign",),
        exclusive=True,
        counts="slabs",
    ),
    Stage(
        "student",
        "ssl_asr.training.stage",
        "trains a causal LSTM on the teacher's targets and the labels",
        ("labelling",),
        exclusive=True,
        counts="slabs",
    ),
    Stage(
        "hypotheses",
        "ssl_asr.hypotheses.stage",
        "recognises the words of the unlabeled speech, if hypotheses.teacher asks for it",
        ("frontend",),
        _read_by_hypotheses,
        wanted_if="hypotheses.teacher",
    ),
    Stage(
        "topline",
        "ssl_asr.training.stage",
        "trains the student's network on the true labels of all audio, if evaluate.topline asks for it",
        ("realign",),
        exclusive=True,
        wanted_if="evaluate.topline",
        counts="slabs",
    ),
    Stage(
        "transducers",
        "ssl_asr.training.transducer.stage",
        "trains recognisers on words instead of senones, if the recipe has any",
        ("frontend",),
        _read_by_transducers,
        exclusive=True,
        wanted_if="transducers",
        counts="slabs",
    ),
    Stage(
        "evaluate",
        "ssl_asr.evaluation.stage",
        "decodes the test speech with all models and counts word errors",
        ("teacher", "baseline", "student", "topline", "transducers"),
        counts="decoded slabs",
    ),
    Stage(
        "fairness",
        "ssl_asr.adaptation.fairness_stage",
        "finds who is understood worse, and adapts the student to them, if fairness.by asks for it",
        ("evaluate",),
        exclusive=True,
        wanted_if="fairness.by",
        counts="results",
    ),
    Stage("report", "ssl_asr.report.stage", "draws everything on one page", counts="pages"),
)
NAMES = tuple(stage.name for stage in STAGES)


def stage(name: str) -> Stage:
    return STAGES[NAMES.index(name)]


def counted(name: str) -> str:
    """What the report of the stage has the number of: "slabs"; also of a step that is no stage of `ssl-asr run`."""
    return stage(name).counts if name in NAMES else "pieces"


def wanted_stages(recipe: Recipe) -> list[Stage]:
    """Those that the recipe asks for, in their order."""
    return [stage for stage in STAGES if stage.wanted(recipe)]


def run_stage(name: str, recipe: Recipe) -> StageReport:
    """Run one stage by itself; ValueError as `check_ready`."""
    check_ready(name, recipe)
    return stage(name).function()(recipe)


def check_ready(name: str, recipe: Recipe) -> None:
    """ValueError naming the stage to run first, where what `name` reads is missing or not up to date."""
    missing = first_missing(name, recipe)
    if missing is not None:
        raise ValueError(
            f"{name} reads what {missing} writes, and {missing} is not done in {recipe.run}; "
            f"run `ssl-asr {missing}` with the same recipe first, or `ssl-asr run` for all stages"
        )
    outdated = next((todo for todo in todo_of(name, recipe) if todo.after not in ("", name)), None)
    if outdated is not None:
        raise ValueError(
            f"{name} reads what {outdated.after} writes, and {outdated.after} is not up to date in {recipe.run} "
            f"(because of {', '.join(outdated.because)}); run `ssl-asr {outdated.after}` with the same recipe first, "
            "or `ssl-asr run` for all stages"
        )


def first_missing(name: str, recipe: Recipe) -> str | None:
    """The first unfinished stage on which `name` depends, directly or indirectly."""
    from ssl_asr.runtime.stage_report import read_report

    needed = ancestors(name, recipe)
    wanted = (stage.name for stage in wanted_stages(recipe))
    return next((each for each in wanted if each in needed and read_report(recipe, each) is None), None)


def todo_of(name: str, recipe: Recipe) -> list[Todo]:
    """What `name` would make now, after what the stages that it builds on would make."""
    concerned = {name, *ancestors(name, recipe)}
    found = todos(recipe, [each for each in NAMES if each in concerned])
    return [todo for todo in found if todo.stage == name]


def todos(recipe: Recipe, names: Sequence[str] = NAMES) -> list[Todo]:
    """What the stages would make now, in their order; starts no Ray and writes nothing but caches."""
    found: list[Todo] = []
    for name in (each.name for each in wanted_stages(recipe) if each.name in names):
        found += [replace(each, stage=name) for each in stage(name).todo_function()(recipe, found)]
    return found


def ancestors(name: str, recipe: Recipe) -> set[str]:
    """All stages on which `name` depends with this recipe."""
    direct = {*stage(name).needs, *stage(name).may_need(recipe)}
    return direct.union(*(ancestors(each, recipe) for each in direct))
