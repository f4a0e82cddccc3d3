"""The report stage: `report/index.html`, one page with everything inlined, and `report/wer.md`."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.recipe import Recipe
from ssl_asr.report.evidence import gather
from ssl_asr.report.markdown import wer_markdown
from ssl_asr.report.page import render
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.runtime.todo import NOT_THERE, Todo, waiting
from ssl_asr.store import filesystem
from ssl_asr.store.layout import page_uri, stage_report_uri, wer_table_uri


def todo_report(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    if before:
        return [waiting("report", before)]
    return [] if filesystem.exists(page_uri(recipe.run)) else [Todo("report", (NOT_THERE,))]


def run_report(recipe: Recipe) -> StageReport:
    """Draw the page from the current content of the run; missing parts name the stage that makes them."""
    filesystem.delete(
        stage_report_uri(recipe.run, "report")
    )  # drawn anew each time: times of earlier drawings don't add up
    clock = StageClock(recipe, "report", "")
    evidence = gather(recipe)
    page = render(evidence).encode()
    filesystem.write_bytes(page_uri(recipe.run), page)
    if evidence.results is not None:
        table = wer_markdown(evidence.results)
        filesystem.write_bytes(wer_table_uri(recipe.run), table.encode())
    return clock.finish(1, 0, figures={"kilobytes": f"{len(page) / 1024:.0f}"})
