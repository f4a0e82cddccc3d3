"""A benchmark's claims as Markdown: a page of its own, and lines in the table of all results."""

from __future__ import annotations

from dataclasses import astuple

from ssl_asr.report.studies.tables import table_of
from ssl_asr.studies.claims import Claim, ClaimSheet
from ssl_asr.studies.outcome import Provenance

ORIGIN = ("command", "commit", "machine")  # columns of the table of all results


def sheet_markdown(sheet: ClaimSheet) -> str:
    """The page of one benchmark."""
    made = sheet.provenance
    lines = [["claim", "less of", "published", "here", "interval", "criterion", "verdict"]]
    lines += [["---", "---", "---", "---:", "---:", "---:", "---"], *(list(astuple(each)) for each in sheet.claims)]
    took = f"; {made.minutes:.0f} minutes of runs" if made.minutes else ""
    parts = [
        f"# {sheet.name}: {sheet.question}",
        f"Criteria: {sheet.criteria}",
        table_of(lines),
        sheet.details,
        "## How",
        f"`{made.command}`, {made.day}, commit {made.commit}, {made.machine}{took}.",
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def claim_line(claim: Claim, sheet: ClaimSheet) -> list[str]:
    """Of the table of all results."""
    return [*astuple(claim), f"[{sheet.name}]({sheet.name}.md)", *origin(sheet.provenance)]


def origin(made: Provenance) -> list[str]:
    """The cells of `ORIGIN`."""
    return [f"`{made.command}`", made.commit, made.machine]
