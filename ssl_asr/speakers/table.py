"""Verification as a table for a terminal, with the sentences that belong to it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ssl_asr.evaluation.bootstrap import Interval
from ssl_asr.evaluation.table import aligned
from ssl_asr.speakers.verification import LEAST_FOR_INTERVAL, Disparity, VerificationRates
from ssl_asr.speakers.verified_run import RunVerification

_WIDTH = 118


def format_verification(found: RunVerification) -> str:
    """Rates of all and of each group, then what is to be known of them."""
    lines = [["group", "", "speakers", "true claims", "impostors", "EER %", "minDCF"]]
    lines += [_row(each) for each in (found.results.everything, *found.results.groups)]
    told = [line for sentence in _sentences(found) for line in textwrap.wrap(sentence, _WIDTH)]
    return "\n".join([*aligned(lines), "", *told])


def _row(rates: VerificationRates) -> list[str]:
    counts = (f"{rates.speakers:,}", f"{rates.true_claims:,}", f"{rates.impostors:,}")
    return [rates.name, "", *counts, percent(rates.eer) + _limits(rates.interval), f"{rates.min_dcf:.3f}"]


def _sentences(found: RunVerification) -> Iterator[str]:
    results = found.results
    yield (
        f"Verification of test speakers of {found.run} by the extractor '{found.name}'. Equal error rate (EER), and "
        "least detection cost (minDCF) where 1 % of the claims are true."
    )
    if results.disparity is not None:
        yield _disparity(results.disparity, found.tag)
    elif found.tag is not None:
        yield (
            f"No gap: the tag '{found.tag}' makes {'one group' if results.groups else 'no group'} of two speakers or "
            f"more among the {results.everything.speakers:,} of the trials, and a gap needs two; name another tag."
        )
    if found.trained:
        yield f"Not in trials, as they were trained on: {found.trained:,} test speakers."
    if found.several:
        yield f"Not in trials, as each may be several people: {found.several:,} test speakers."
    if results.single:
        yield f"Not in trials, as they have one utterance: {results.single:,} test speakers."
    yield f"In brackets: 95 % bootstrap intervals over speakers; of less than {LEAST_FOR_INTERVAL} there is none."


def _disparity(found: Disparity, tag: str | None) -> str:
    return (
        f"Over the groups of the tag '{tag}', the EER is highest for '{found.highest}', lowest for '{found.lowest}': "
        f"a gap of {percent(found.gap)} points{_limits(found.interval)}, p = {found.p:.2g}; 5 % of the shuffles of "
        f"groups over speakers have a gap above {percent(found.shuffled)}. The EERs of the groups deviate by "
        f"{percent(found.deviation)} points, p = {found.deviation_p:.2g}. Claims of a group are between its speakers."
    )


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _limits(interval: Interval | None) -> str:
    return "" if interval is None else f" [{percent(interval.low)}, {percent(interval.high)}]"
