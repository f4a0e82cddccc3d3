"""The folder of studies' results: a page, a plot and the figures of each, and the table of all."""

from __future__ import annotations

from ssl_asr.report.studies.markdown import TITLE, studies_markdown, study_markdown
from ssl_asr.report.studies.plot import draw_study
from ssl_asr.store import filesystem
from ssl_asr.studies.outcome import Outcome, read_outcome, to_json


def kept_outcomes(out: str) -> list[Outcome]:
    """Of the studies whose pages are in the folder; ValueError, before any run, if it is a folder of other things."""
    filesystem.make_folder(out)
    table = filesystem.join(out, "README.md")
    if filesystem.exists(table) and not filesystem.read_bytes(table).startswith(TITLE.encode()):
        raise ValueError(f"{table} is no table of studies and would be overwritten; name another folder with --out")
    names = sorted(name for name in filesystem.sizes_and_times(out) if name.endswith(".json"))
    return [read_outcome(filesystem.join(out, name)) for name in names]


def write_pages(out: str, outcome: Outcome) -> str:
    """Write all of these for one more study; returns the URI of its page."""
    name = outcome.study.name
    page = filesystem.join(out, f"{name}.md")
    filesystem.write_bytes(filesystem.join(out, f"{name}.png"), draw_study(outcome))
    filesystem.write_bytes(page, study_markdown(outcome, f"{name}.png").encode())
    filesystem.write_bytes(filesystem.join(out, f"{name}.json"), to_json(outcome))
    table = studies_markdown(kept_outcomes(out))
    filesystem.write_bytes(filesystem.join(out, "README.md"), table.encode())
    return page
