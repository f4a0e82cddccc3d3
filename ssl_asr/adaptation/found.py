"""What the fairness stage has found: cohorts by each of the recipe's ways, and the student before and after."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssl_asr.adaptation.cohort import BOTTOM, cohorts_named, read_cohorts
from ssl_asr.adaptation.jobs import adaptation_name
from ssl_asr.adaptation.measures import FIGURES, Change
from ssl_asr.adaptation.results import AdaptResults
from ssl_asr.adaptation.results_file import read_adapted
from ssl_asr.adaptation.table import difference_text
from ssl_asr.evaluation.table import aligned
from ssl_asr.fairness.results import CohortResults
from ssl_asr.models.systems import STUDENT
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import cohorts_uri, found_folder, nothing_found_uri

_WIDTH = 118
NOTE = (
    "Cohorts were chosen on one half of the test speakers and measured on the other. p is the share of shuffles over "
    "the speakers with so large a gap; in sets: where speakers are exchanged only within test sets and channels. "
    "Mean, maximum and variance (in squared points) count each cohort once. In brackets: 95 % bootstrap intervals "
    "over speakers."
)


@dataclass(frozen=True)
class Found:
    """`cohorts` by each of `by`, then what came of each method, as far as they are there.

    `nothing` says why there are no cohorts, by the ways in which none were found.
    """

    by: Sequence[str] = ()
    cohorts: Sequence[CohortResults] = ()
    adapted: Sequence[AdaptResults] = ()
    nothing: Mapping[str, str] = field(default_factory=dict)


def read_found(recipe: Recipe) -> Found:
    """ValueError naming a damaged file."""
    run, settings = recipe.run, recipe.fairness
    there = [by for by in settings.by if filesystem.exists(cohorts_uri(found_folder(run, by)))]
    nothing = {by: _why_none(found_folder(run, by)) for by in settings.by if by not in there}
    nothing = {by: why for by, why in nothing.items() if why}
    cohorts = [read_cohorts(run, found_folder(run, by)) for by in there]
    if settings.by[:1] != tuple(there[:1]) or not settings.methods:
        return Found(there, cohorts, nothing=nothing)
    bottom = cohorts_named(cohorts[0], BOTTOM)
    names = [adaptation_name(STUDENT, method, cohorts[0].by, bottom) for method in settings.methods]
    adapted = [each for name in names if (each := read_adapted(run, name)) is not None]
    return Found(there, cohorts, adapted, nothing)


def _why_none(folder: str) -> str:
    uri = nothing_found_uri(folder)
    return filesystem.read_bytes(uri).decode() if filesystem.exists(uri) else ""


def format_found(found: Found) -> str:
    """For a terminal; empty where nothing is there."""
    texts = ["\n".join(aligned(rows)) for rows in (cohort_rows(found), adapted_rows(found)) if rows]
    note = note_of(found)
    return "\n\n".join([*texts, textwrap.fill(note, _WIDTH)]) if note else ""


def note_of(found: Found) -> str:
    """What the tables mean, and by what no cohorts were found; empty where nothing was searched."""
    none = [f"By {by} no cohorts were found: {why}." for by, why in found.nothing.items()]
    return " ".join([*([NOTE] if found.cohorts else []), *none])


def cohort_rows(found: Found) -> list[list[str]]:
    """With a row of titles; empty where there are none."""
    if not found.cohorts:
        return []
    titles = ["cohorts by", "", "cohorts", "bottom WER %", "top WER %", "gap %", "p", "p in sets", "bottom's words %"]
    return [titles, *(_cohort_row(*each) for each in zip(found.by, found.cohorts, strict=True))]


def _cohort_row(by: str, found: CohortResults) -> list[str]:
    gap, limits = found.gap, found.gap.interval
    inside = "" if limits is None else f" [{100 * limits.low:+.0f}, {100 * limits.high:+.0f}]"
    value = "-" if gap.value is None else f"{100 * gap.value:+.0f}{inside}"
    within = "-" if gap.p_within_channels is None else f"{gap.p_within_channels:.2g}"
    rates = [f"{100 * part.wer:.1f}" for part in (found.bottom, found.top)]
    share = f"{100 * found.bottom.share_of_words:.1f}"
    return [by, "", str(len(found.cohorts)), *rates, value, f"{gap.p:.2g}", within, share]


def adapted_rows(found: Found) -> list[list[str]]:
    """With a row of titles, the student before, and the differences to it; empty where there are none."""
    if not found.adapted:
        return []
    titles = [f"WER %, bottom part by {found.by[0]}", "strength", *FIGURES]
    before = [f"{each.scale * each.before:.1f}" for each in _figures(found.adapted[0])]
    after = [
        [f"{results.method}, difference", f"{results.chosen:g}", *map(difference_text, _figures(results))]
        for results in found.adapted
    ]
    return [titles, ["before", "", *before], *after]


def _figures(results: AdaptResults) -> list[Change]:
    return [each for each in results.changes if each.name in FIGURES]
