"""The results on transcribed speech as tables for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ssl_asr.evaluation.bootstrap import LEAST_SPEAKERS
from ssl_asr.evaluation.results import of_listed
from ssl_asr.evaluation.set_results import MOST_VALUES, SetResults
from ssl_asr.evaluation.significance import SpeakerTest
from ssl_asr.evaluation.table import aligned, gain, over_speakers, rate

_WIDTH = 118


def format_set_table(results: SetResults) -> str:
    """Word errors of every system, of all utterances and by tag; of two systems, how they differ; and notes."""
    tables = [_errors(results, system) for system in results.systems]
    tables += [_gains(results)] if results.werr is not None else []
    notes = (line for note in _notes(results) for line in textwrap.wrap(note, _WIDTH))
    return "\n\n".join("\n".join(lines) for lines in [*map(aligned, tables), notes])


def _errors(results: SetResults, system: str) -> list[list[str]]:
    lines = [[system, "", "utterances", "words", "WER %", "over speakers", "ins", "del", "sub"]]
    whole = [("all", "", row) for row in results.rows]
    for tag, value, row in [*whole, *((part.tag, row.set, row) for part in results.by_tag for row in part.rows)]:
        if row.system == system:
            counts = (row.utterances, row.words, row.insertions, row.deletions, row.substitutions)
            utterances, words, *edits = (f"{count:,}" for count in counts)
            lines.append([tag, value, utterances, words, rate(row), over_speakers(row.by_speaker, ""), *edits])
    return lines


def _gains(results: SetResults) -> list[list[str]]:
    lines = [["WERR of", results.systems[-1], "WERR %", "over speakers", "P(better)"]]
    parts = [("all", "", results.rows, results.werr)] if results.werr is not None else []
    parts += [(part.tag, each.set, part.rows, each) for part in results.by_tag for each in part.werr]
    for tag, value, rows, each in parts:
        baseline = next(row for row in rows if (row.system, row.set) == (results.systems[0], each.set))
        figures = [gain(each), over_speakers(each.by_speaker)] if baseline.wer else ["-", "-"]
        lines.append([tag, value, *figures, f"{each.p_better:.3f}"])
    return lines


def _notes(results: SetResults) -> Iterator[str]:
    yield (
        "In brackets: 95 % bootstrap intervals, over recordings or over speakers; with less than "
        f"{LEAST_SPEAKERS} speakers there is none over these."
    )
    if results.unscored:
        scored = results.rows[0].utterances
        yield f"Scored: {of_listed(scored, scored + results.unscored, 'utterances')}."
    if results.by_tag:
        yield f"Rows of {' and of '.join(part.tag for part in results.by_tag)}: the most words come first."
    for part in results.by_tag:
        if part.values > MOST_VALUES:
            yield f"Of {part.values} values of {part.tag}, the {MOST_VALUES} with the most words are shown."
    if results.werr is not None:
        yield (
            f"WERR: reduction of the word error rate of {results.systems[0]} by {results.systems[-1]}; "
            f"- where {results.systems[0]} has no error."
        )
    if results.significance is not None:
        yield _significance(results.significance, results.systems[-1])


def _significance(test: SpeakerTest, system: str) -> str:
    if test.speakers < LEAST_SPEAKERS:
        return f"With less than {LEAST_SPEAKERS} speakers no test over speakers is possible."
    return (
        f"{system} has fewer errors for {test.fewer} of {test.speakers} speakers and more for {test.more}: "
        f"p = {test.p:.2g} that such a difference is chance (sign-flip test of speakers, two-sided)."
    )
