"""The table of word error rates for a terminal."""

from __future__ import annotations

import textwrap

from ssl_asr.evaluation.results import Results, WordErrors
from ssl_asr.models.systems import SYSTEMS, TITLES

_WIDTH = 118


def format_table(results: Results) -> str:
    """Rows are sets and conditions, columns are systems with 95 % intervals; notes below explain the table."""
    header = ["set", "condition", "words", *(f"{TITLES[system]} WER %" for system in SYSTEMS), "WERR %", "P(better)"]
    lines = [header]
    for reduction in results.werr:
        cell = (reduction.set, reduction.condition)
        rows = [results.row(system, *cell) for system in SYSTEMS]
        gain = f"{100 * reduction.werr:+.1f} [{100 * reduction.low:+.1f}, {100 * reduction.high:+.1f}]"
        lines.append([*cell, str(rows[0].words), *map(_rate, rows), gain, f"{reduction.p_better:.3f}"])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    table = ["  ".join(_padded(line, widths)).rstrip() for line in lines]
    table.insert(1, "-" * len(table[0]))
    scales = "; ".join(f"{TITLES[system]} {results.scale(system)}" for system in results.kappa)
    notes = [
        "WERR: WER reduction of the SSL student relative to the baseline. In brackets: 95 % bootstrap intervals.",
        f"Test words outside the vocabulary: {results.oov_rate:.1%}.",
        f"Acoustic scale tuned on dev: {scales}.",
    ]
    return "\n".join([*table, *(line for note in notes for line in textwrap.wrap(note, _WIDTH))])


def _rate(row: WordErrors) -> str:
    return f"{100 * row.wer:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"


def _padded(line: list[str], widths: list[int]) -> list[str]:
    """Names to the left, figures to the right."""
    return [
        text.ljust(width) if column < 2 else text.rjust(width)
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
