"""How long a study takes: its first run of a seed whole, and of the others the stages that differ from it.

What differs is told by the recipes alone, before anything has run: a stage does where a value does that may change
what it reads or makes. So a study takes at most what is told here. Splits of open speech, which are cut together, may
in fact stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ssl_asr.models.systems import evaluated, stage_of
from ssl_asr.planning.compute import devices_of
from ssl_asr.planning.fairness import ADAPTATION
from ssl_asr.planning.measured import known
from ssl_asr.planning.plan import make_plan
from ssl_asr.planning.question import Question
from ssl_asr.planning.wall_time import StageTime
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Leaf, leaves
from ssl_asr.runtime.pipeline import NAMES, ancestors, wanted_stages
from ssl_asr.studies.study import Study

_EVALUATE = "evaluate"
_SHARED = frozenset({"shards", "noise", "features"})  # of all speech
_LABELED = _SHARED | {"labeled", "open-labeled"}
_UNLABELED = _SHARED | {"unlabeled", "open-unlabeled"}
_TESTED = _SHARED | {"dev", "test", "open-dev", "open-test"}
_SPEECH = _LABELED | _UNLABELED | _TESTED
# Products whose fields change what a stage makes, besides what it takes from the stages that it needs.
_PRODUCTS = {
    "corpus": _SPEECH,
    "frontend": _SPEECH,
    "hmm": _LABELED | {"lexicon", "flat-start", "senones", "alignments"},
    "teacher": {"teacher", "teacher-smbr", "lattices"},
    "labelling": _UNLABELED | {"targets"},
    "baseline": _UNLABELED | {"baseline", "baseline-short", "baseline-smbr", "baseline-short-smbr"},
    "student": {"student", "student-smbr"},
    "hypotheses": {"pseudo-labels"},
    "topline": _UNLABELED | {"topline", "topline-smbr"},
    "transducers": {"transducer"},
    _EVALUATE: _TESTED | {"graph", "hypotheses", "results", "transducer-words"},
    "fairness": {"cohorts", "adapted"},
}
# These make each split by itself; what later stages read of it is among their own products.
_BY_SPLIT = {"corpus", "frontend"}
# Values that are marked with no product, because what they name counts by its content.
_BY_CONTENT = {
    "corpus.data": NAMES,
    "corpus.lm_text": NAMES,
    "hmm.": ("hmm",),
    "labelling.": ("labelling",),
    "hypotheses.": ("hypotheses",),
    "adapt.": ("fairness",),
}


@dataclass(frozen=True)
class RunTime:
    """The `stages` that a run makes itself, and the seconds that they take together."""

    stages: tuple[str, ...]
    seconds: float


def study_time(study: Study, planned: Sequence[tuple[str, Recipe]]) -> float:
    """Seconds of all runs; `planned` as for `run_times`."""
    return sum(each.seconds for each in run_times(study, planned))


def run_times(study: Study, planned: Sequence[tuple[str, Recipe]]) -> list[RunTime]:
    """Of each run, by variant and recipe in the order in which they are made, seed by seed."""
    first = next(iter(study.variants))
    begins = {recipe.seed: recipe for variant, recipe in planned if variant == first}
    by_variant: dict[str, RunTime] = {}  # a seed changes no time
    for variant, recipe in planned:
        if variant not in by_variant:
            by_variant[variant] = _run_time(recipe, None if variant == first else begins[recipe.seed])
    return [by_variant[variant] for variant, _ in planned]


def differing_stages(recipe: Recipe, first: Recipe) -> list[str]:
    """The stages that a copy of the run of `first` has to make again for `recipe`, in their order; at most these."""
    changed = _changed(recipe, first)
    products = {product for leaf in changed for product in leaf.affects or ()}
    own = {name for name in NAMES if products & frozenset(_PRODUCTS.get(name, ()))}
    own |= {stage for leaf in changed if not leaf.affects for stage in _by_content(leaf.path)}
    before = {stage.name for stage in wanted_stages(first)}
    again: list[str] = []
    for stage in wanted_stages(recipe):
        read = ancestors(stage.name, recipe) - _BY_SPLIT
        if stage.name in own or stage.name not in before or read.intersection(again):
            again.append(stage.name)
    return again


def _changed(recipe: Recipe, first: Recipe) -> list[Leaf]:
    """Values of `recipe` that the other has not, and of the other that this one has not."""
    mine, others = ({(leaf.path, leaf.value): leaf for leaf in leaves(each)} for each in (recipe, first))
    return [leaf for place, leaf in [*mine.items(), *others.items()] if (place in mine) != (place in others)]


def _by_content(path: str) -> Iterable[str]:
    return [stage for prefix, stages in _BY_CONTENT.items() if path.startswith(prefix) for stage in stages]


def _run_time(recipe: Recipe, first: Recipe | None) -> RunTime:
    question = Question()
    devices = devices_of(recipe, question)
    inputs = known(recipe, question, devices)
    planned = make_plan(recipe, question, devices, inputs).stages
    wanted = [stage.name for stage in wanted_stages(recipe)]
    again = wanted if first is None else differing_stages(recipe, first)
    start = inputs.facts.start_seconds.value
    share = 1.0 if first is None else _evaluated_share(recipe, first, again)
    seconds = 0.0
    for time in planned:
        if _stage_of(recipe, time) in again:
            evaluates = time.stage == _EVALUATE
            seconds += start + share * (time.wall_seconds - start) if evaluates else time.wall_seconds
    return RunTime(tuple(again), seconds)


def _stage_of(recipe: Recipe, time: StageTime) -> str:
    """The stage behind a line of the plan, which has lines of their own for transducers, aligners and lattices."""
    if time.stage in recipe.transducers:
        return "transducers"
    if time.stage == "realignment":
        return "realign"
    if time.stage == ADAPTATION:
        return "fairness"
    if time.stage == "lattices":
        return "teacher" if recipe.teacher.sequence.epochs else "student"
    return stage_of(time.stage)


def _evaluated_share(recipe: Recipe, first: Recipe, again: Sequence[str]) -> float:
    """Of the systems whose words are recognised again: a system's words stay while it and the search do."""
    searched = {"graph", "hypotheses", *_TESTED}
    if "hmm" in again or any(searched.intersection(leaf.affects or ()) for leaf in _changed(recipe, first)):
        return 1.0
    systems = evaluated(recipe)
    return sum(stage_of(name) in again for name in systems) / len(systems)
