"""The table of word error rates in Markdown, for a README."""

from __future__ import annotations

from ssl_asr.evaluation.results import ALL, Results
from ssl_asr.models.systems import BASELINE, STUDENT, TEACHER


def wer_markdown(results: Results) -> str:
    """Conditions over all test sets, then sets over all conditions, then everything."""
    cells = [each for each in results.werr if each.set == ALL and each.condition != ALL]
    cells += [each for each in results.werr if each.condition == ALL and each.set != ALL]
    cells.append(results.reduction())
    lines = [
        "| test speech | words | baseline WER % | teacher WER % | SSL student WER % | WERR % of the student |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for each in cells:
        rows = [results.row(system, each.set, each.condition) for system in (BASELINE, TEACHER, STUDENT)]
        rates = " | ".join(f"{100 * row.wer:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]" for row in rows)
        gain = f"{100 * each.werr:+.1f} [{100 * each.low:+.1f}, {100 * each.high:+.1f}]"
        lines.append(f"| {_name(each.set, each.condition)} | {rows[0].words:,} | {rates} | {gain} |")
    return "\n".join(lines) + "\n"


def _name(set_: str, condition: str) -> str:
    if set_ == condition == ALL:
        return "**everything**"
    return condition if set_ == ALL else f"set {set_}"
