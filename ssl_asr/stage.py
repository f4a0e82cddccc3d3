"""What every stage of the pipeline returns, and how it is kept in the run.

A stage is one function `run_<stage>(recipe) -> StageReport`. It reads and writes the run's directory, skips
what is done, and ends with one line of figures. Times add up over interruptions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from ssl_asr.progress import clock
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject


@dataclass(frozen=True)
class StageReport:
    """`pieces` is what was asked for (shards, blocks, utterances), `skipped` how many of them were found done."""

    stage: str
    key: str
    seconds: float
    pieces: int
    skipped: int
    rejected: int
    figures: Mapping[str, float | str] = field(default_factory=dict)

    def line(self) -> str:
        figures = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in self.figures.items()
        )
        skipped = f", {self.skipped} found done" if self.skipped else ""
        rejected = f", {self.rejected} REJECTED (see ssl-asr failed)" if self.rejected else ""
        return f"{self.stage}: {clock(self.seconds)}, {self.pieces} pieces{skipped}{rejected}, {figures}"


def report_uri(recipe: Recipe, stage: str) -> str:
    return filesystem.join(recipe.run, "stages", f"{stage}.json")


def read_report(recipe: Recipe, stage: str) -> StageReport | None:
    uri = report_uri(recipe, stage)
    return StageReport(**json.loads(filesystem.read_bytes(uri))) if filesystem.exists(uri) else None


class StageClock:
    """Started with a stage; `finish` keeps its report, adding to the time that interrupted attempts took."""

    def __init__(self, recipe: Recipe, stage: str, key: str) -> None:
        self.recipe, self.stage, self.key = recipe, stage, key
        self._began = time.monotonic()
        self._before = 0.0
        before = read_report(recipe, stage)
        if before is not None and before.key == key:
            self._before = before.seconds

    def finish(
        self,
        pieces: int,
        skipped: int,
        rejects: Iterable[Reject] = (),
        figures: Mapping[str, float | str] | None = None,
    ) -> StageReport:
        """Keep and return the report; ValueError where more than the recipe's share of pieces was rejected."""
        rejects = list(rejects)
        spent = time.monotonic() - self._began
        seconds = self._before + (spent if skipped < pieces else 0.0)
        report = StageReport(
            self.stage, self.key, round(seconds, 2), pieces, skipped, len(rejects), dict(figures or {})
        )
        filesystem.write_bytes(report_uri(self.recipe, self.stage), json.dumps(asdict(report), indent=1).encode())
        lines = "".join(json.dumps(asdict(reject)) + "\n" for reject in rejects)
        filesystem.write_bytes(rejects_uri(self.recipe, self.stage), lines.encode())
        return report


def rejects_uri(recipe: Recipe, stage: str) -> str:
    return filesystem.join(recipe.run, "rejects", f"{stage}.jsonl")


def check_reject_share(recipe: Recipe, stage: str, rejected: int, utterances: int) -> None:
    """ValueError where more utterances were rejected than the recipe allows."""
    share = rejected / max(utterances, 1)
    if share > recipe.corpus.max_reject_share:
        raise ValueError(
            f"{stage}: {rejected} of {utterances} utterances were rejected ({share:.0%}), above "
            f"corpus.max_reject_share={recipe.corpus.max_reject_share:g}; see {rejects_uri(recipe, stage)}"
        )
