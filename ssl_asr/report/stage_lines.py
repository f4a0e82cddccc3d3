"""The table of a run's stages and the time that each took."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.progress import clock
from ssl_asr.report.evidence import Evidence
from ssl_asr.runtime.pipeline import counted, wanted_stages


@dataclass(frozen=True)
class StageLine:
    """One stage of the time table; `share` of the longest stage's seconds draws its bar."""

    name: str
    does: str
    time: str
    share: float
    speed: str
    work: str
    figures: str


def stage_lines(evidence: Evidence) -> list[StageLine]:
    """Of the stages that the recipe wants, done or not."""
    longest = max((report.seconds for report in evidence.stages.values()), default=0.0) or 1.0
    lines = []
    for stage in wanted_stages(evidence.recipe):
        report = evidence.stages.get(stage.name)
        if stage.name == "report" or report is None:
            # The time that this drawing takes can't be on it.
            state = "this page" if stage.name == "report" else "under way" if stage.name in evidence.curves else ""
            lines.append(StageLine(stage.name, stage.does, state or "not done yet", 0.0, "", "", ""))
            continue
        audio = evidence.audio_seconds.get(stage.name)
        speed = f"{audio / report.seconds:,.0f}×" if audio and report.seconds else ""
        figures = ", ".join(report.figure_texts())
        lines.append(
            StageLine(
                stage.name,
                stage.does,
                clock(report.seconds),
                report.seconds / longest,
                speed,
                f"{report.pieces:,} {counted(stage.name)}",
                figures,
            )
        )
    return lines
