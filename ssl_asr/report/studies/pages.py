"""The folder of results: a page, a plot and the figures of each study, a page of each benchmark, the table of all."""

from __future__ import annotations

import json
from typing import Any

from ssl_asr.report.studies.claims import sheet_markdown
from ssl_asr.report.studies.markdown import TITLE, studies_markdown, study_markdown
from ssl_asr.report.studies.plot import draw_study
from ssl_asr.store import filesystem
from ssl_asr.studies.claims import ClaimSheet, is_sheet, sheet_in, sheet_to_json
from ssl_asr.studies.outcome import Outcome
from ssl_asr.studies.outcome_file import outcome_in, to_json


def kept_results(out: str) -> tuple[list[Outcome], list[ClaimSheet]]:
    """Of studies and benchmarks in the folder; ValueError, before any run, if it is a folder of other things."""
    filesystem.make_folder(out)
    table = filesystem.join(out, "README.md")
    if filesystem.exists(table) and not filesystem.read_bytes(table).startswith(TITLE.encode()):
        raise ValueError(f"{table} is no table of studies and would be overwritten; name another folder with --out")
    names = sorted(name for name in filesystem.sizes_and_times(out) if name.endswith(".json"))
    files = {uri: _parsed(uri) for uri in (filesystem.join(out, name) for name in names)}
    outcomes = [outcome_in(values, uri) for uri, values in files.items() if not is_sheet(values)]
    return outcomes, [sheet_in(values, uri) for uri, values in files.items() if is_sheet(values)]


def write_pages(out: str, outcome: Outcome) -> str:
    """Write all of these for one more study; returns the URI of its page."""
    name = outcome.study.name
    page = filesystem.join(out, f"{name}.md")
    filesystem.write_bytes(filesystem.join(out, f"{name}.png"), draw_study(outcome))
    filesystem.write_bytes(page, study_markdown(outcome, f"{name}.png").encode())
    filesystem.write_bytes(filesystem.join(out, f"{name}.json"), to_json(outcome))
    _write_table(out)
    return page


def write_sheet(out: str, sheet: ClaimSheet) -> str:
    """Write the page of one more benchmark; returns its URI."""
    page = filesystem.join(out, f"{sheet.name}.md")
    filesystem.write_bytes(page, sheet_markdown(sheet).encode())
    filesystem.write_bytes(filesystem.join(out, f"{sheet.name}.json"), sheet_to_json(sheet))
    _write_table(out)
    return page


def _write_table(out: str) -> None:
    filesystem.write_bytes(filesystem.join(out, "README.md"), studies_markdown(*kept_results(out)).encode())


def _parsed(uri: str) -> Any:
    try:
        return json.loads(filesystem.read_bytes(uri))
    except ValueError as error:
        raise ValueError(f"{uri} is no JSON; move it, or name another folder of results") from error
