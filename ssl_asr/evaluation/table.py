"""The tables of word error rates and of the student's gain, for a terminal; `transducer_tables.py` has others."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import Literal

from ssl_asr.evaluation.bootstrap import LEAST_SPEAKERS
from ssl_asr.evaluation.error_rates import ALL, Reduction, SpeakerLimits, ToplineShare, WordErrors
from ssl_asr.evaluation.results import Results
from ssl_asr.models.systems import BASELINE_SHORT, BASELINES, SMBR_BASELINES, TITLES

WIDTH = 118  # of a note


def format_table(results: Results) -> str:
    """Word error rates by system, cell by cell; the student's gain in the main cells; and notes on both."""
    rates = [["set", "condition", "words", *(f"{TITLES[system]} WER %" for system in results.systems)]]
    for each in results.werr:
        rows = [results.row(system, each.set, each.condition) for system in results.systems]
        rates.append([results.label(each.set), each.condition, str(rows[0].words), *map(rate, rows)])
    gains = [["set", "condition", "WERR %", "over speakers", "P(better)"]]
    gains[0] += ["of topline's gain %"] if results.has_topline else []
    for each in results.main_reductions():
        figures = [gain(each), over_speakers(each.by_speaker), f"{each.p_better:.3f}"]
        figures += [] if each.topline_share is None else [share_text(each.topline_share)]
        gains.append([results.label(each.set), each.condition, *figures])
    lines = [line for note in _notes(results) for line in textwrap.wrap(note, WIDTH)]
    return "\n".join([*aligned(rates), "", *aligned(gains), *lines])


def rate(row: WordErrors) -> str:
    """ "81.0 [77.5, 84.3]", in percent."""
    return f"{100 * row.wer:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"


def gain(cell: Reduction) -> str:
    """ "+4.2 [+1.4, +7.1]", in percent."""
    return f"{100 * cell.werr:+.1f} {_limits(cell.low, cell.high)}"


def over_speakers(limits: SpeakerLimits, sign: Literal["+", ""] = "+") -> str:
    """ "[-1.2, +4.0] of 9", or "2 speakers" where these are too few; rates have no `sign`."""
    if limits.low is None or limits.high is None:
        return f"{limits.speakers} speaker{'' if limits.speakers == 1 else 's'}"
    return f"{_limits(limits.low, limits.high, sign)} of {limits.speakers}"


def share_text(share: ToplineShare) -> str:
    """ "43 [22, 61]", in percent; "-" where the interval of the topline's gain includes zero."""
    if share.value is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.value:.0f} [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def _limits(low: float, high: float, sign: Literal["+", ""] = "+") -> str:
    return f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def _notes(results: Results) -> list[str]:
    baseline, student = (TITLES[system] for system in results.compared)
    notes = [
        f"WERR: WER reduction of the {student} relative to the {baseline}. In brackets: 95 % bootstrap intervals, "
        f"over recordings or over speakers; with less than {LEAST_SPEAKERS} speakers there is none over these.",
        *([f"Scored: {results.coverage}."] if results.coverage else []),
        f"Test words outside the vocabulary: {results.oov_rate:.1%}.",
        "Acoustic scale tuned on dev: "
        + "; ".join(f"{TITLES[system]} {results.scale(system)}" for system in results.kappa)
        + ".",
    ]
    if BASELINE_SHORT in results.kappa:
        notes.insert(1, baseline_note(results))
    if results.has_topline:
        notes.insert(
            1,
            "Topline: the student's network trained with true labels on all audio. Of its gain: the share that the "
            f"{student} has; - where the interval of the topline's own gain includes zero.",
        )
    if results.headline != ALL:
        others = ", ".join(results.other_channels)
        notes.insert(0, f"Headline: {results.headline}. Not in it: {others}, recorded unlike most labeled speech.")
    return notes


def baseline_note(results: Results) -> str:
    """Which of two baselines counts, and why."""
    chosen = results.baseline_model
    both = SMBR_BASELINES if chosen in SMBR_BASELINES else BASELINES
    rates = " against ".join(
        f"{100 * results.dev_row(model).wer:.1f} ({TITLES[model]})"
        for model in sorted(both, key=lambda model: model != chosen)
    )
    length = "the matched" if results.baseline_is_matched else "the shorter"
    return f"Baseline: {length} schedule, by word error rate on dev, %: {rates}."


def aligned(lines: list[list[str]]) -> list[str]:
    """Rows of texts as lines of a table, the first with a rule below it; two columns of names, then figures."""
    widths = [max(_columns(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join(_padded(line, widths)).rstrip() for line in lines]
    return [table[0], "-" * _columns(table[0]), *table[1:]]


def _padded(line: list[str], widths: list[int]) -> list[str]:
    """Names to the left, figures to the right."""
    padding = [" " * (width - _columns(text)) for text, width in zip(line, widths, strict=True)]
    return [
        _left_to_right(text) + blank if column < 2 else blank + text
        for column, (text, blank) in enumerate(zip(line, padding, strict=True))
    ]


def _columns(text: str) -> int:
    """Of a terminal: accents and marks of direction take none, Chinese characters two."""
    shown = [each for each in text if unicodedata.category(each) not in ("Mn", "Me", "Cf")]
    return len(shown) + sum(unicodedata.east_asian_width(each) in "WF" for each in shown)


def _left_to_right(name: str) -> str:
    """Behind a name of Arabic or Hebrew letters a mark, or the figures beside it would change their order."""
    return name + "\u200e" if any(unicodedata.bidirectional(each) in ("R", "AL") for each in name) else name
