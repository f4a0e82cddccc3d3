"""The claims that the benchmark `cohorts` asks for, as lines of the table of all results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from jobs.bench.cohort_verdicts import (
    CONTROL,
    FALL,
    PUBLISHED_CHANGES,
    PUBLISHED_GAPS,
    VOICES,
    Seen,
    interval_of,
    methods_of,
    verdicts_of,
)
from ssl_asr.adaptation.measures import VARIANCE
from ssl_asr.studies.claims import Claim, ClaimSheet
from ssl_asr.studies.outcome import Provenance
from ssl_asr.studies.verdict import Verdict

_NAMES = {"finetune": "fine-tuning", "ewc": "EWC", "average": "weight averaging", "replay": "replay"}
QUESTION = "does adapting help those understood worst, and do clusters of voices find larger gaps than places?"


def sheet_of(seen: Seen, criteria: str, tables: str, provenance: Provenance) -> ClaimSheet:
    verdicts = verdicts_of(seen)
    claims = [*_mitigation(seen, verdicts), _discovery(seen, verdicts["discovery"])]
    failed = [f"Seed {seed} failed: {why}" for seed, why in seen.failed.items()]
    details = "\n\n".join([*failed, f"Mean over seeds {', '.join(map(str, seen.asked))}, least and largest:"])
    return ClaimSheet("cohorts", QUESTION, criteria, claims, f"{details}\n\n```text\n{tables}\n```", provenance)


def _mitigation(seen: Seen, verdicts: dict[str, Verdict]) -> Iterator[Claim]:
    published = f"{-PUBLISHED_CHANGES[VARIANCE]:.1f} % by EWC"
    for method in methods_of(seen):
        if method == CONTROL:
            continue
        fall = -statistics.fmean(each.accents[VARIANCE] for each in seen.of_method(method))
        interval = interval_of(seen, method)
        limits = "-" if interval is None else f"{-100 * interval[1]:+.1f} to {-100 * interval[0]:+.1f}"
        name = f"adapted to the bottom region by {_NAMES.get(method, method)}"
        what = "variance of word error rates over accents"
        yield Claim(name, what, published, f"{100 * fall:+.1f}", limits, f">= {100 * FALL:.1f}", verdicts[method])


def _discovery(seen: Seen, verdict: Verdict) -> Claim:
    found = PUBLISHED_GAPS
    published = f"gap of {found['voices']['gap']} % by voice, {found['places']['gap']} % by place"
    gaps = [[one.gap for one in seen.of_way(f"simulated by {way}")] for way in (VOICES, "geo")]
    by_voice, by_place = (_gap(each) for each in gaps)
    told = f"gap of {by_voice} by voice, {by_place} by place"
    limits = f"{_range(gaps[0])} by voice, {_range(gaps[1])} by place, over seeds"
    criterion = "by voice >= by place"
    return Claim("gaps by voice and by place", "- (size of the gap)", published, told, limits, criterion, verdict)


def _gap(gaps: list[float]) -> str:
    """In percent; there is none where a top part has no error."""
    mean = statistics.fmean(gaps) if gaps else math.nan
    return f"{100 * mean:.0f} %" if math.isfinite(mean) else "no finite size"


def _range(gaps: list[float]) -> str:
    """The least and the largest of the seeds."""
    return f"{_gap([min(gaps)])} to {_gap([max(gaps)])}" if gaps else "none"
