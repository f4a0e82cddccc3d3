"""Where a run stands, read from its ledger, its curves and its stage reports; nothing else is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssl_asr.pipeline import NAMES
from ssl_asr.progress import clock
from ssl_asr.recipe import Recipe
from ssl_asr.report.curves import curve_of
from ssl_asr.stage import read_beat, read_rejects, read_report
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import LedgerEntry, Reject
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.schedule import baseline_schedule, source_of, student_schedule, teacher_schedule

# First part of a store's name, and the stage that writes it.
STAGE_OF_STORE = {"manifest": "corpus", "features": "frontend", "alignments": "hmm", "targets": "labelling"}
ALIGNED = ("labeled", "dev", "test")


@dataclass(frozen=True)
class StageStatus:
    """`done` of `total` pieces (total None: not known yet); `seconds` None where the stage never ran."""

    stage: str
    state: str
    done: int
    total: int | None
    unit: str
    rejected: int
    seconds: float | None

    def line(self) -> str:
        total = "?" if self.total is None else str(self.total)
        count = f"{self.done}/{total} {self.unit}" if self.done or self.total else "-"
        spent = "-" if self.seconds is None else clock(self.seconds)
        return f"{self.stage:<10} {self.state:<10} {count:>22}  {self.rejected:>7}  {spent:>12}"


HEADER = f"{'stage':<10} {'state':<10} {'pieces':>22}  {'rejects':>7}  {'time':>12}"


def status_table(recipe: Recipe) -> str:
    """One line a stage, for a terminal."""
    return "\n".join([f"run {recipe.run}", HEADER, *(row.line() for row in statuses(recipe))])


def statuses(recipe: Recipe) -> list[StageStatus]:
    ledger = ledger_entries(recipe)
    return [_status(recipe, stage, ledger) for stage in NAMES]


def ledger_entries(recipe: Recipe) -> list[LedgerEntry]:
    """Every entry of every store of the run, whatever it was made from."""
    uris = filesystem.list_files(filesystem.join(recipe.run, "ledger"), ".json")
    return [LedgerEntry.from_json(filesystem.read_bytes(uri)) for uri in uris]


def rejects(recipe: Recipe) -> list[tuple[str, Reject]]:
    """(stage, reject) of all stages, finished or under way, in the order of the pipeline."""
    found = {
        (STAGE_OF_STORE[entry.store.split("/")[0]], each)
        for entry in ledger_entries(recipe)
        for each in entry.rejects
    }
    found |= {(stage, reject) for stage in NAMES for reject in read_rejects(recipe, stage)}
    return sorted(found, key=lambda pair: (NAMES.index(pair[0]), pair[1].id, pair[1].reason))


def _status(recipe: Recipe, stage: str, ledger: list[LedgerEntry]) -> StageStatus:
    report, beat = read_report(recipe, stage), read_beat(recipe, stage)
    done, total, unit, rejected = _pieces(recipe, stage, ledger)
    if beat is not None:
        return StageStatus(stage, "begun", done, total, unit, rejected, beat)
    if report is not None:
        unit = "slabs" if unit == "blocks" else unit  # what a finished training stage counts
        return StageStatus(stage, "done", report.pieces, report.pieces, unit, report.rejected, report.seconds)
    return StageStatus(stage, "begun" if done else "waiting", done, total, unit, rejected, None)


def _pieces(recipe: Recipe, stage: str, ledger: list[LedgerEntry]) -> tuple[int, int | None, str, int]:
    """(done, total, unit, rejected) of a stage that has not finished."""
    mine = [entry for entry in ledger if STAGE_OF_STORE[entry.store.split("/")[0]] == stage]
    rejected = sum(len(entry.rejects) for entry in mine)
    manifest = [entry for entry in ledger if entry.store == "manifest"]
    if stage in ("teacher", "baseline", "student"):
        return *_blocks(recipe, stage), "blocks", 0
    if stage in ("evaluate", "report"):
        return 0, None, "pieces", 0
    splits = {"hmm": ALIGNED, "labelling": ("unlabeled",)}.get(stage)
    asked = [entry for entry in manifest if splits is None or entry.shard.split in splits]
    total = None if stage == "corpus" or not manifest else len(asked)
    return len({entry.shard for entry in mine}), total, "shards", rejected


def _blocks(recipe: Recipe, name: str) -> tuple[int, int | None]:
    """Blocks that a model's curve shows, and all blocks of its schedule for as many workers."""
    curve = curve_of(recipe.run, name)
    return (
        (0, None) if curve is None else (len(curve.blocks), _scheduled_blocks(recipe, name, curve.blocks[-1].workers))
    )


def _scheduled_blocks(recipe: Recipe, name: str, workers: int) -> int | None:
    store = ShardStore(recipe.run, "features")
    labeled = source_of("labeled", store.entries("labeled"), recipe.seed)
    unlabeled = source_of("unlabeled", store.entries("unlabeled"), recipe.seed)
    if not labeled.slabs or not unlabeled.slabs:
        return None
    if name == "teacher":
        schedule, sync = teacher_schedule(recipe.teacher, labeled), recipe.teacher.sync
    else:
        schedule, sync = student_schedule(recipe.student, labeled, unlabeled), recipe.student.sync
        if name == "baseline":
            schedule = baseline_schedule(schedule, labeled, unlabeled)
    return sum(math.ceil(phase.count / (sync.block_slabs * workers)) for phase in schedule)
