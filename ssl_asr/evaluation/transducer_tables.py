"""The tables of a run's transducers: word errors, emission delays, FLOPs, and conversations."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.percentiles import Percentiles
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.table import WIDTH, aligned, gain, rate
from ssl_asr.evaluation.transducer_results import EncoderCompute
from ssl_asr.evaluation.turns.table import CONVERSATION_NOTE, conversation_rows


def transducer_rows(results: Results) -> list[list[str]]:
    """The table of the transducers, cell by cell: word error rates, and the gains of all but the first."""
    first, *others = results.transducers
    names = [f"{name} WER %" for name in results.transducer_names]
    rows = [["set", "condition", "words", *names, *(f"{each.name} WERR %" for each in others)]]
    for place, row in enumerate(first.rows):
        rates = [rate(each.rows[place]) for each in results.transducers]
        gains = [gain(each.werr[place]) for each in others]
        rows.append([results.label(row.set), row.condition, str(row.words), *rates, *gains])
    return rows


def transducer_note(results: Results) -> str:
    first, *others = results.transducer_names
    fused = [f"{each.name} {each.lm_weight:g}" for each in results.transducers if each.lm_weight]
    note = "Transducers are trained on words, and search without a language model"
    note += f", but for these weights of an n-gram of word pieces: {', '.join(fused)}." if fused else "."
    return f"{note} WERR: WER reduction relative to {first}, with 95 % intervals over recordings." if others else note


DELAY_NOTE = (
    "PR: from the end of an utterance's last word, by forced alignment, until a stream puts out the last word that "
    "it finds. Word delay: the same for each word that is right. Both are the median and the 90th percentile, and "
    "contain the network's look-ahead."
)


def delay_rows(results: Results) -> list[list[str]]:
    """The table of the transducers' emission delays, cell by cell, in milliseconds; none where none was measured."""
    measured = [each for each in results.transducers if each.delays]
    if not measured:
        return []
    names = [(f"{each.name} PR50 / PR90 ms", f"{each.name} word delay ms") for each in measured]
    rows = [["set", "condition", *(name for pair in names for name in pair)]]
    for place, cell in enumerate(measured[0].delays):
        figures = [(each.delays[place].last_word, each.delays[place].words) for each in measured]
        rows.append([results.label(cell.set), cell.condition, *(_milliseconds(p) for pair in figures for p in pair)])
    return rows


COMPUTE_NOTE = (
    "MFLOPs: millions of operations, two for each multiply-add, that the encoder takes for a 30 ms frame of test, "
    "counted with the gates that it closed. Gates save: beside the same network with all modules running. Real-time "
    "factor: seconds of one core for a second of test audio, with predictor, joiner and search, in batches of whole "
    "utterances."
)
_EQUAL_NOTE = (
    " Random gates are to take as many FLOPs as learned ones. Their rates were found on dev; the last column has "
    "what they take on test, in percent of those."
)


def compute_rows(results: Results) -> list[list[str]]:
    """The table of FLOPs and time beside the word errors on all of test; none where no FLOPs were counted."""
    counted = {each.name: each.compute for each in results.transducers if each.compute is not None}
    if not counted:
        return []
    factors = {each.name: each.real_time_factor for each in results.transducers}
    first, most = next((name, found.flops) for name, found in counted.items())
    head = [
        "transducer",
        "set",
        "WER %",
        "MFLOPs a frame",
        "real-time factor",
        "gates save %",
        f"fewer than {first} %",
    ]
    rows = [head + ["of the learned gates' FLOPs"] * _has_random(results)]
    for name, found in counted.items():
        factor = factors[name]
        row = [name, ALL, rate(results.transducer_row(name)), f"{found.flops / 1e6:.3g}"]
        row.append("-" if factor is None else f"{factor:.3g}")
        row += [f"{100 * share:.1f}" for share in (found.saved, 1 - found.flops / most)]
        rows.append(row + [_beside_learned(found, counted)] * _has_random(results))
    return rows


def _beside_learned(found: EncoderCompute, counted: Mapping[str, EncoderCompute]) -> str:
    """ "100.3 % of light", of random gates that are to take as many FLOPs as the learned ones of light; else ""."""
    learned = counted.get(found.equal_to)
    return "" if learned is None else f"{100 * found.flops / learned.flops:.1f} % of {found.equal_to}"


def compute_note(results: Results) -> str:
    return COMPUTE_NOTE + (_EQUAL_NOTE if _has_random(results) else "")


def _has_random(results: Results) -> bool:
    return any(each.compute is not None and each.compute.equal_to for each in results.transducers)


def _milliseconds(found: Percentiles | None) -> str:
    """ "120 / 340", or "-" of no word."""
    return "-" if found is None else f"{1000 * found.p50:.0f} / {1000 * found.p90:.0f}"


def transducer_tables(results: Results) -> list[tuple[str, list[list[str]], str]]:
    """Title, rows and note of the tables of the transducers, where there are any."""
    tables: list[tuple[str, list[list[str]], str]] = []
    if results.transducers:
        tables = [
            ("Transducers", transducer_rows(results), transducer_note(results)),
            ("Emission delays of transducers", delay_rows(results), DELAY_NOTE),
            ("FLOPs and time of transducers", compute_rows(results), compute_note(results)),
        ]
    if results.conversations:
        tables.append(("Conversations", conversation_rows(results.conversations), CONVERSATION_NOTE))
    return [each for each in tables if each[1]]


def format_transducers(results: Results) -> str:
    """All of them for a terminal, behind an empty line each; "" without transducers."""
    return "\n".join(
        line
        for _, rows, note in transducer_tables(results)
        for line in ["", *aligned(rows), *textwrap.wrap(note, WIDTH)]
    )
