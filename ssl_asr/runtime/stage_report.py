"""The report that every stage of the pipeline returns, and how the run stores it.

A stage is one function `run_<stage>(recipe) -> StageReport`. It reads and writes the run's directory, skips
what is done, and ends with one line of figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from ssl_asr.progress import clock
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import counted
from ssl_asr.store import filesystem
from ssl_asr.store.layout import rejects_uri, stage_report_uri
from ssl_asr.store.ledger import Reject

ACTOR_HOURS = "actor_hours"  # the figure that tells how long actors worked, all of them together
# Words of a figure's key that people write in capitals.
_ABBREVIATIONS = {"wer", "werr"}


@dataclass(frozen=True)
class StageReport:
    """`pieces` is how many of what the stage `counted` were asked for, `skipped` how many were done before."""

    stage: str
    key: str
    seconds: float
    pieces: int
    skipped: int
    rejected: int
    figures: Mapping[str, float | str] = field(default_factory=dict)

    def line(self) -> str:
        parts = [clock(self.seconds), f"{self.pieces} {counted(self.stage)}"]
        if self.skipped:
            parts.append(f"{self.skipped} done before")
        if self.rejected:
            parts.append(f"{self.rejected} REJECTED (see ssl-asr failed)")
        return f"{self.stage}: {', '.join([*parts, *self.figure_texts()])}"

    def figure_texts(self) -> list[str]:
        """The figures as text: "senone set 5b7f", "frames 1,143,892", "hours 5.178"."""
        return [f"{_label(key)} {_readable(value)}" for key, value in self.figures.items()]


def _label(key: str) -> str:
    return " ".join(word.upper() if word in _ABBREVIATIONS else word for word in key.split("_"))


def _readable(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def read_report(recipe: Recipe, stage: str) -> StageReport | None:
    uri = stage_report_uri(recipe.run, stage)
    return StageReport(**json.loads(filesystem.read_bytes(uri))) if filesystem.exists(uri) else None


def keep_report(recipe: Recipe, report: StageReport, rejects: Iterable[Reject]) -> None:
    """The rejects first: a report says that the stage has finished."""
    keep_rejects(recipe, report.stage, rejects)
    filesystem.write_bytes(stage_report_uri(recipe.run, report.stage), json.dumps(asdict(report), indent=1).encode())


def keep_rejects(recipe: Recipe, stage: str, rejects: Iterable[Reject]) -> None:
    lines = "".join(json.dumps(asdict(reject)) + "\n" for reject in rejects)
    filesystem.write_bytes(rejects_uri(recipe.run, stage), lines.encode())


def read_rejects(recipe: Recipe, stage: str) -> list[Reject]:
    """The rejects of the stage when it last finished, or ended because there were too many."""
    uri = rejects_uri(recipe.run, stage)
    if not filesystem.exists(uri):
        return []
    return [Reject(**json.loads(line)) for line in filesystem.read_bytes(uri).decode().splitlines()]


def check_reject_share(recipe: Recipe, stage: str, rejected: int, utterances: int) -> None:
    """ValueError if more utterances were rejected than the recipe allows."""
    check_reject_shares(recipe, stage, {"": (rejected, utterances)})


def above_share(recipe: Recipe, rejected: int, utterances: int) -> bool:
    """Whether more of so many utterances were rejected than the recipe allows."""
    return rejected / max(utterances, 1) > recipe.corpus.max_reject_share


def check_reject_shares(recipe: Recipe, stage: str, counts: Mapping[str, tuple[int, int]]) -> None:
    """ValueError if more utterances of a split were rejected than the recipe allows.

    `counts` has the rejected utterances and all, by split: the many of one must not hide what another has lost.
    """
    above = [
        f"{rejected} of {utterances} utterances{split and f' of {split}'} were rejected "
        f"({rejected / max(utterances, 1):.0%})"
        for split, (rejected, utterances) in counts.items()
        if above_share(recipe, rejected, utterances)
    ]
    if above:
        raise ValueError(
            f"{stage}: {' and '.join(above)}, above corpus.max_reject_share={recipe.corpus.max_reject_share:g}; "
            f"see {rejects_uri(recipe.run, stage)}, mend what it names and run again, or allow more"
        )
