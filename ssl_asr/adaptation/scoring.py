"""Scores decoded dev and test speech by cohort."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ssl_asr.adaptation.cohort import CohortOf
from ssl_asr.adaptation.measures import Change, Groups, changes
from ssl_asr.adaptation.results import SweepPoint
from ssl_asr.decoding.slabs import DecodedSlab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.scored_run import scored_as
from ssl_asr.fairness.attributes import halves_of
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.scored_table import Int, ScoredTable, Speakers, TaggedUtterance, main_values, speakers_of
from ssl_asr.store.utterance import Utterance

NOT_SHOWN = "cohorts not shown"
_LEAST = 2  # speakers of a cohort: no figure is of one


def table_of(run: str, system: str, decoded: Sequence[DecodedSlab], said: Mapping[str, Utterance]) -> ScoredTable:
    """Of the utterances with a text, in the order of `decoded`."""
    found = [(said[each.id], " ".join(each.words)) for slab in decoded for each in slab.hypotheses]
    return ScoredTable(
        run,
        system,
        [TaggedUtterance(scored_as(each, words), each.tags) for each, words in found if each.text is not None],
    )


def cohorts_of_speakers(table: ScoredTable, speakers: Speakers, cohort_of: CohortOf) -> Sequence[str | None]:
    return main_values(table, speakers.utterances, lambda each: cohort_of(each.scored.speaker, each.tags)).values


def check_dev(said: Mapping[str, Utterance], cohort_of: CohortOf, wanted: Collection[str]) -> None:
    """ValueError where dev can't choose a strength, for want of speakers of the adapted or of other cohorts."""
    inside, outside = set[str](), set[str]()
    for each in said.values():
        if each.text and (name := cohort_of(each.speaker, each.tags)) is not None:
            (inside if name in wanted else outside).add(each.speaker)
    if min(len(inside), len(outside)) < _LEAST:
        named = ", ".join(sorted(wanted))
        few = f"of {named}" if len(inside) < _LEAST else f"of cohorts beside {named}"
        raise ValueError(
            f"dev has less than {_LEAST} speakers {few}, so it can't choose how strongly to adapt; add or tag speech "
            "of dev, or give one strength, such as adapt.lambdas=[1]"
        )


def sweep_point(
    strength: float | None, table: ScoredTable, cohort_of: CohortOf, wanted: Collection[str]
) -> SweepPoint:
    """No rate is of one speaker."""
    speakers = speakers_of(table)
    names = cohorts_of_speakers(table, speakers, cohort_of)
    inside, nowhere = (
        np.array(found) for found in ([name in wanted for name in names], [not name for name in names])
    )
    parts = (inside, ~inside & ~nowhere, nowhere)
    rates = [speakers.counts.rows(which).wer if which.sum() >= _LEAST else None for which in parts]
    return SweepPoint(strength, *rates)


def compare_on_test(
    tables: tuple[ScoredTable, ScoredTable],
    results: CohortResults,
    cohort_of: CohortOf,
    wanted: Collection[str],
    draws: Draws,
) -> list[Change]:
    """Before and after, on the half of the speakers in which cohorts were not searched."""
    before, after = (speakers_of(table) for table in tables)
    assert before.names == after.names, "both systems heard the test split"
    rows, groups = held_out_groups(tables[0], results, cohort_of, wanted)
    return changes(before.counts.rows(rows), after.counts.rows(rows), groups, draws)


def held_out_groups(
    table: ScoredTable, results: CohortResults, cohort_of: CohortOf, wanted: Collection[str]
) -> tuple[Int, Groups]:
    """Rows of the speakers of the held-out half, and their cohorts; those that can't be shown are one.

    ValueError where the cohorts were found in other speech.
    """
    speakers = speakers_of(table)
    if len(speakers.names) != results.speakers:
        raise ValueError(
            f"the cohorts were found among {results.speakers:,} speakers, and the test split has "
            f"{len(speakers.names):,}; run `ssl-asr cohorts` on this run again"
        )
    rows, searched = halves_of(results.by, table, speakers, results.seed)
    shown = [each.name for each in results.cohorts]
    of_speaker = cohorts_of_speakers(table, speakers, cohort_of)
    held = [(int(row), of_speaker[row]) for row in rows[~searched]]
    named = [(row, name if name in shown else NOT_SHOWN) for row, name in held]
    sizes = {name: sum(each == name for _, each in named) for name in (*shown, NOT_SHOWN)}
    names = [name for name, size in sizes.items() if size >= _LEAST]
    if not {*wanted} & {*names}:
        raise ValueError(
            f"the held-out half of the test speakers has less than {_LEAST} of {', '.join(sorted(wanted))}; run "
            "`ssl-asr cohorts` on this run again"
        )
    kept = [(row, names.index(name)) for row, name in named if name in names]
    labels = np.array([label for _, label in kept])
    adapted = np.array([name in wanted for name in names])
    return np.array([row for row, _ in kept]), Groups(names, labels, adapted)
