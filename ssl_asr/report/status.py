"""The progress of a run, read from its ledger, its curves and its stage reports; nothing else stores it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ssl_asr.adaptation.progress import all_planned, progress_of
from ssl_asr.adaptation.progress_table import progress_line
from ssl_asr.corpus.augment.conditions import versions
from ssl_asr.hmm.stage import aligned_splits
from ssl_asr.models.systems import MODELS, REALIGN, TITLES, models_of_stage
from ssl_asr.progress import clock
from ssl_asr.recipe import Recipe
from ssl_asr.report.blocks import trained_blocks
from ssl_asr.report.realign_progress import realign_progress
from ssl_asr.report.rejects import CORPUS, rejects_of_corpus
from ssl_asr.report.throughput import Throughput
from ssl_asr.runtime.job_runner import HOURS
from ssl_asr.runtime.pipeline import counted, wanted_stages
from ssl_asr.runtime.stage_clock import Heartbeat, read_heartbeat
from ssl_asr.runtime.stage_report import ACTOR_HOURS, StageReport, read_report
from ssl_asr.runtime.todo import TRANSDUCERS
from ssl_asr.store import utterance
from ssl_asr.store.layout import MANIFEST, PSEUDO_LABELS, TARGETS, stage_of_store, store_of_set
from ssl_asr.store.run_index import StoreIndex, run_index, shards_in_any

ADAPT = "adapt"
# Stages that only turn audio into shards, so that finished shards measure their progress.
STREAMING = ("frontend", "labelling", "hypotheses")
TRAINING = (*MODELS, TRANSDUCERS)  # stages that count blocks
# Those that write a store for each teacher and its settings, which they name their attempts by.
_OF_A_TEACHER = {"labelling": TARGETS, "hypotheses": PSEUDO_LABELS}


@dataclass(frozen=True)
class StageStatus:
    """`done` of `total` of `unit` (None: not known yet); `seconds` is None if the stage never ran.

    `models` are told where there are several, which are counted together, and the `step` where it alone is counted.
    """

    stage: str
    state: str
    done: int
    total: int | None
    unit: str
    rejected: int
    seconds: float | None
    throughput: Throughput | None = None
    models: tuple[str, ...] = ()
    step: str = ""

    def line(self) -> str:
        total = "?" if self.total is None else str(self.total)
        count = f"{self.done}/{total} {self.unit}" if self.done or self.total else "-"
        spent = "-" if self.seconds is None else clock(self.seconds)
        line = f"{self.stage:<10} {self.state:<10} {count:>22}  {self.rejected:>7}  {spent:>12}"
        if len(self.models) > 1:
            line = f"{line}  {' and '.join(TITLES[name] for name in self.models)} together"
        if self.step:
            line = f"{line}  {self.step}"
        return line if self.throughput is None else f"{line}  {self.throughput.text()}"


HEADER = f"{'stage':<10} {'state':<10} {'progress':>22}  {'rejects':>7}  {'time':>12}"


def status_table(recipe: Recipe) -> str:
    """One line a stage, for a terminal."""
    rows = [row.line() for row in statuses(recipe)]
    return "\n".join([f"run {recipe.run}", HEADER, *rows, *adaptation_lines(recipe)])


def statuses(recipe: Recipe) -> list[StageStatus]:
    stores = run_index(recipe.run)
    rows = (_status(recipe, stage.name, stores) for stage in wanted_stages(recipe))
    return [replace(row, models=models_of_stage(recipe, row.stage)) for row in rows]


def adaptation_lines(recipe: Recipe) -> list[str]:
    """One of each adaptation that was begun, whose models are counted together."""
    report, heartbeat = read_report(recipe, ADAPT), read_heartbeat(recipe, ADAPT)
    lines = []
    for plan in all_planned(recipe.run):
        rows = progress_of(recipe.run, plan)
        done = sum(each.state == "done" for each in rows)
        attempts = [each for each in (heartbeat, report) if each is not None and each.key == plan.key]
        under_way = heartbeat in attempts or any(each.state == "begun" for each in rows)
        state = "done" if done == len(rows) and not under_way else "begun" if done or under_way else "waiting"
        seconds = attempts[0].seconds if attempts else None
        line = StageStatus(ADAPT, state, done, len(rows), "trainings", 0, seconds).line()
        lines.append(f"{line}  {plan.name}, {progress_line(rows)}")
    return lines


def _status(recipe: Recipe, stage: str, stores: Sequence[StoreIndex]) -> StageStatus:
    report, heartbeat = read_report(recipe, stage), read_heartbeat(recipe, stage)
    made = _made(stage, stores, heartbeat or report)
    if report is not None and heartbeat is None:
        speed = _throughput(recipe, stage, made, None, report)
        return StageStatus(
            stage, "done", report.pieces, report.pieces, counted(stage), report.rejected, report.seconds, speed
        )
    if stage == REALIGN:
        return _under_way_realign(recipe, heartbeat)
    if stage == CORPUS:
        return _under_way_corpus(recipe, heartbeat, shards_in_any(made))
    expected = _expected(recipe, stage, stores)
    total: int | None = 0 if expected is None else len(expected.shards)
    done, total = trained_blocks(recipe, stage) if stage in TRAINING else (shards_in_any(made), total)
    rejected = sum(int(each.total("rejects")) for each in made)
    state = "begun" if heartbeat or done else "waiting"
    seconds = None if heartbeat is None else heartbeat.seconds
    speed = _throughput(recipe, stage, made, expected, heartbeat)
    return StageStatus(stage, state, done, total or None, _unit(stage), rejected, seconds, speed)


def _under_way_realign(recipe: Recipe, heartbeat: Heartbeat | None) -> StageStatus:
    found = realign_progress(recipe)
    state, seconds = (
        "begun" if heartbeat or found.done else "waiting",
        None if heartbeat is None else heartbeat.seconds,
    )
    return StageStatus(REALIGN, state, found.done, found.total, found.unit, found.rejected, seconds)


def _under_way_corpus(recipe: Recipe, heartbeat: Heartbeat | None, shards: int) -> StageStatus:
    """Its step, such as the reading of a split's lists; or its shards, between steps."""
    rejected = rejects_of_corpus(recipe.run)
    if heartbeat is None or heartbeat.step is None:
        state, seconds = ("waiting", None) if heartbeat is None else ("begun", heartbeat.seconds)
        return StageStatus(CORPUS, "begun" if shards else state, shards, None, counted(CORPUS), rejected, seconds)
    step = heartbeat.step
    unit = "hours" if step.unit == HOURS else "parts"
    done, total = int(step.done), max(math.ceil(step.total), 1)
    return StageStatus(CORPUS, "begun", done, total, unit, rejected, heartbeat.seconds, step=step.what)


def _unit(stage: str) -> str:
    """Of a stage under way: a finished training counts slabs."""
    return "blocks" if stage in TRAINING else counted(stage)


def _made(stage: str, stores: Sequence[StoreIndex], attempt: Heartbeat | StageReport | None) -> list[StoreIndex]:
    """The entries that the stage has written; of a teacher's only the set of its last attempt."""
    mine = [each for each in stores if stage_of_store(each.store.name) == stage]
    if stage in _OF_A_TEACHER and attempt is not None:
        return [each for each in mine if each.store.name == store_of_set(_OF_A_TEACHER[stage], attempt.key)]
    return mine


def _expected(recipe: Recipe, stage: str, stores: Sequence[StoreIndex]) -> StoreIndex | None:
    """The shards of the manifest that the stage is to go through; None where that is not known."""
    manifest = next((each for each in stores if each.kind == MANIFEST), None)
    if stage not in ("hmm", *STREAMING) or manifest is None:
        return None
    splits = {"hmm": aligned_splits(recipe), **dict.fromkeys(_OF_A_TEACHER, ("unlabeled",))}
    return manifest.only(splits.get(stage, utterance.SPLITS))


def _throughput(
    recipe: Recipe,
    stage: str,
    made: Sequence[StoreIndex],
    expected: StoreIndex | None,
    attempt: Heartbeat | StageReport | None,
) -> Throughput | None:
    """`expected` is None for a stage that has finished, whatever it left out."""
    if stage not in STREAMING or attempt is None:
        return None
    assert len(made) <= 1, "such a stage writes one store"
    done = next(iter(made), None)
    audio = 0.0 if done is None else done.total("seconds")
    left = 0.0 if expected is None else expected.without(done).total("seconds")
    if stage in _OF_A_TEACHER:
        left /= versions(recipe.corpus, "unlabeled")  # copies have what their recordings have
    under_way = isinstance(attempt, Heartbeat)
    worked = (
        attempt.work_seconds / 3600 if isinstance(attempt, Heartbeat) else float(attempt.figures.get(ACTOR_HOURS, 0))
    )
    price = recipe.cluster.price_per_actor_hour
    return Throughput(audio, audio + left, attempt.seconds, worked, price, under_way)
