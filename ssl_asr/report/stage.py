"""The report stage: `report/index.html`, `report/compare.html`, the audio that they play, and `report/wer.md`.

All else is inlined, so the folder can be moved, and needs no server.
"""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.evaluation.results_file import read_results
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.report.errors.analysis import to_play
from ssl_asr.report.errors.clips import NO_CLIPS, choose, write_clips
from ssl_asr.report.errors.comparison import render_comparison
from ssl_asr.report.evidence import gather
from ssl_asr.report.fairness import write_fairness_pages
from ssl_asr.report.markdown import wer_markdown
from ssl_asr.report.page import render
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, read_report
from ssl_asr.runtime.todo import NOT_THERE, REPORT, RESULTS, Todo, waiting
from ssl_asr.store import filesystem
from ssl_asr.store.layout import stage_report_uri
from ssl_asr.store.results_layout import compare_page_uri, page_uri, results_uri, wer_table_uri

STAGE = "report"
FAIRNESS = "fairness"


def todo_report(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    if before:
        return [waiting(REPORT, before)]
    report = read_report(recipe, STAGE)
    if report is None or not filesystem.exists(page_uri(recipe.run)):
        return [Todo(REPORT, (NOT_THERE,))]
    return [] if report.key == _key(recipe) else [Todo(REPORT, (RESULTS,))]


def _key(recipe: Recipe) -> str:
    """Of the results and cohorts that the page shows; empty where there are none."""
    if not filesystem.exists(results_uri(recipe.run)):
        return ""
    inputs = read_results(recipe.run).inputs
    found = read_report(recipe, FAIRNESS) if recipe.fairness.by else None
    return inputs_key(inputs if found is None else {**inputs, FAIRNESS: found.key})


def run_report(recipe: Recipe) -> StageReport:
    """Draw the page from the current content of the run; missing parts name the stage that makes them."""
    # The page is drawn anew each time, so times of earlier drawings don't add up.
    filesystem.delete(stage_report_uri(recipe.run, STAGE))
    clock = StageClock(recipe, STAGE, _key(recipe))
    evidence = gather(recipe)
    clips = NO_CLIPS
    if evidence.errors is not None:
        clips = write_clips(recipe, choose(to_play(evidence.errors)))
        compared = render_comparison(recipe, evidence.errors, clips)
        filesystem.write_bytes(compare_page_uri(recipe.run), compared.encode())
    write_fairness_pages(recipe, evidence.found)
    page = render(evidence, clips).encode()
    filesystem.write_bytes(page_uri(recipe.run), page)
    if evidence.results is not None:
        table = wer_markdown(evidence.results)
        filesystem.write_bytes(wer_table_uri(recipe.run), table.encode())
    return clock.finish(1, 0, figures={"kilobytes": f"{len(page) / 1024:.0f}", "clips": len(clips.files)})
