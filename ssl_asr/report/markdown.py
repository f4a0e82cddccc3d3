"""The table of word error rates in Markdown, for a README."""

from __future__ import annotations

from ssl_asr.evaluation.error_rates import ALL, Reduction
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.table import gain, over_speakers, rate, share_text
from ssl_asr.models.systems import TITLES


def wer_markdown(results: Results) -> str:
    """The headline by condition and in all, then sets over all conditions, then everything."""
    systems = results.systems
    _, student = results.compared
    titles = ["test speech", "words", *(f"{TITLES[each]} WER %" for each in systems)]
    titles += [
        f"WERR % of the {TITLES[student].removeprefix('SSL ')}",
        "over speakers",
        *(["of the topline's gain %"] if results.has_topline else []),
    ]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for each in results.main_reductions():
        rows = [results.row(system, each.set, each.condition) for system in systems]
        gains = [gain(each), over_speakers(each.by_speaker)]
        gains += [] if each.topline_share is None else [share_text(each.topline_share)]
        lines.append([_name(results, each), f"{rows[0].words:,}", *map(rate, rows), *gains])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _name(results: Results, cell: Reduction) -> str:
    if cell.condition != ALL:
        return cell.condition if cell.set == ALL else f"{cell.set}, {cell.condition}"
    if cell.set == ALL:
        return "**everything**"
    return f"**{cell.set}**" if cell.set == results.headline else f"set {results.label(cell.set)}"
