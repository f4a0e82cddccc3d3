"""The cohorts as tables for a terminal, with the sentences that belong to them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ssl_asr.evaluation.bootstrap import LEAST_SPEAKERS, Interval
from ssl_asr.evaluation.table import aligned
from ssl_asr.fairness.regions import CutResult, RegionBounds
from ssl_asr.fairness.results import ChannelCheck, CohortResults, MixedEffects, Part

_WIDTH = 118
MOST_ROWS = 20
_MOSTLY = 0.5  # Cramer's V from which on cohorts are told to be mostly channels


def format_cohorts(results: CohortResults) -> str:
    """Cohorts, the cuts of a tree and the numbers of clusters; and what is to be known of them."""
    tables = [aligned(_cohorts(results))]
    if results.geography is not None:
        tables.append(aligned(_cuts(results.geography.cuts)))
    if results.clustering is not None:
        tables.append(aligned(_numbers(results)))
    told = [line for sentence in sentences(results) for line in textwrap.wrap(sentence, _WIDTH)]
    return "\n\n".join("\n".join(lines) for lines in [*tables, told])


def sentences(results: CohortResults) -> Iterator[str]:
    """What the figures mean, for the terminal and the page."""
    yield (
        f"{results.system} of {results.source}, cohorts by {results.by}: {results.utterances:,} utterances of "
        f"{results.speakers:,} speakers, {results.words:,} words, WER {percent(results.wer)} %. Cohorts and parts "
        "were chosen on one half of the speakers, the searched half; what is told was measured on the held-out half."
    )
    yield _gap(results)
    yield _chance(results)
    if results.mixed_effects is not None:
        yield mixed_sentence(results.mixed_effects)
    if results.spread is not None:
        found = results.spread
        yield (
            f"Over the cohorts the WER has a standard deviation of {100 * found.variance**0.5:.1f} points; by chance "
            f"{100 * found.shuffled**0.5:.1f}, p = {found.p:.2g}. The worst cohort of the searched half is "
            f"{found.worst}; in the held-out half it has {percent(found.worst_wer)} %."
        )
    if results.channel is not None:
        yield channel_sentence(results.channel, results.gap.p_within_channels)
    if results.clustering is not None and not results.clustering.stable:
        yield "No number of clusters is stable over resamples of the speakers; another sample has other clusters."
    yield from _left_out(results)
    if results.hidden:
        yield f"Not shown, as they have less than 2 speakers in one of the halves: {results.hidden:,} cohorts."
    yield f"In brackets: 95 % bootstrap intervals over speakers; of less than {LEAST_SPEAKERS} there is none."


def _gap(results: CohortResults) -> str:
    gap, bottom, top = results.gap, results.bottom, results.top
    value = "no measure of the gap, as the top part has no error" if gap.value is None else _signed(gap.value) + " %"
    return (
        f"Gap: the bottom part has WER {percent(bottom.wer)} %, the top part {percent(top.wer)} %: {value}"
        f"{_limits(gap.interval)}. The bottom part is {percent(bottom.share_of_words)} % of the words and "
        f"{percent(bottom.share_of_speakers)} % of the speakers."
    )


def _chance(results: CohortResults) -> str:
    gap = results.gap
    above = "" if gap.shuffled is None else f"; 5 % of them have a gap above {_signed(gap.shuffled)} %"
    searched = (
        ""
        if gap.searched is None or gap.searched_shuffled is None
        else f" In the searched half the gap is {_signed(gap.searched)} %; in shuffled attributes the same search "
        f"finds {_signed(gap.searched_shuffled)} % there."
    )
    return f"Chance: p = {gap.p:.2g}, the share of shuffles over the speakers with so large a gap{above}.{searched}"


def mixed_sentence(found: MixedEffects) -> str:
    """The ratio of the parts' rates beside the differences of speakers and channels, or why there is none."""
    if found.ratio is None or found.interval is None or found.speaker_deviation is None:
        return f"Mixed-effects check: no ratio. {found.problem}"
    channels = (
        f"{found.channels} test sets and channels as fixed effects"
        if found.channels > 1
        else "no channel effect, as only one test set and channel has errors"
    )
    return (
        f"Mixed-effects check (Poisson regression, speakers as random effects, {channels}): the bottom part has "
        f"{found.ratio:.2f} times the errors a word of the top part, 95 % interval {found.interval.low:.2f} to "
        f"{found.interval.high:.2f}. Speakers have a standard deviation of {found.speaker_deviation:.2f} in the "
        "logarithm of the rate."
    )


def channel_sentence(found: ChannelCheck, p_within: float | None) -> str:
    """Whether the cohorts are test sets or channels in disguise."""
    linked = found.p < 0.05
    mostly = linked and found.v >= _MOSTLY
    says = "mostly follow" if mostly else "partly follow" if linked else "do not follow"
    measure = f"Cramer's V {found.v:.2f}, p = {found.p:.2g}"
    text = f"Channel: cohorts {says} the {found.channels} test sets and channels ({measure})"
    if p_within is not None:
        text += f"; with speakers exchanged only within these, the gap has p = {p_within:.2g}"
    doubt = " Then the gap may be that of the recordings, not of the speakers." if mostly else ""
    return f"{text}.{doubt}"


def _left_out(results: CohortResults) -> Iterator[str]:
    left, by = results.left_out, results.by
    if left.unknown_utterances:
        share = left.unknown_utterances / results.utterances
        yield f"{by} is not known of {left.unknown_utterances:,} utterances ({percent(share)} % of them)."
    if left.single_values:
        yield f"Values of {by} that have one speaker, who is not scored alone: {left.single_values:,}."
    if left.speakers:
        rate = "" if left.wer is None else f", WER {percent(left.wer)} %"
        yield f"In no cohort: {left.speakers:,} of the speakers, {left.words:,} words{rate}."
    if left.varying:
        yield f"Speakers with several values, of which that of most words is taken: {left.varying:,}."


def _cohorts(results: CohortResults) -> list[list[str]]:
    lines = [["cohort", "part", "speakers", "words", "of words %", "WER % held-out", "WER % searched"]]
    rows = [("bottom part", "bottom", results.bottom), ("top part", "top", results.top)]
    shown = results.cohorts[:MOST_ROWS]
    bounds = {} if results.geography is None else {each.name: bounds_text(each) for each in results.geography.regions}
    for each in shown:
        name = f"{each.name}: {bounds[each.name]}" if each.name in bounds else each.name
        rows.append((name, "bottom" if each.bottom else "top", each.part))
    for name, place, part in rows:
        counts = (f"{part.speakers:,}", f"{part.words:,}", percent(part.share_of_words))
        lines.append([name, place, *counts, _rate(part), percent(part.wer_searched)])
    if len(results.cohorts) > MOST_ROWS:
        lines.append([f"and {len(results.cohorts) - MOST_ROWS} better ones", *[""] * 6])
    return lines


def _cuts(cuts: Sequence[CutResult]) -> list[list[str]]:
    lines = [["cut", "", "difference searched", "p searched", "difference held-out", "p held-out"]]
    for each in cuts:
        searched = [f"{100 * each.difference_searched:+.1f}", f"{each.p_searched:.2g}"]
        measured = ["-", "-"] if each.difference is None else [f"{100 * each.difference:+.1f}", f"{each.p:.2g}"]
        lines.append(["  " * each.depth + cut_text(each), "", *searched, *measured])
    return lines


def cut_text(cut: CutResult) -> str:
    return f"{cut.axis} below {cut.at:g}, or from there on"


def _numbers(results: CohortResults) -> list[list[str]]:
    assert results.clustering is not None, "called for clusters alone"
    lines = [["clusters tried", "", "inertia", "stability"]]
    for each in results.clustering.tried:
        stability = "" if each.stability is None else f"{each.stability:.2f}"
        lines.append([str(each.clusters), "", f"{each.inertia:.4f}", stability])
    return lines


def bounds_text(region: RegionBounds) -> str:
    """ "latitude 37.4 to 45, longitude from -100"; "everywhere" has no bounds."""
    parts = [("latitude", region.south, region.north), ("longitude", region.west, region.east)]
    texts = [f"{name} {_range(low, high)}" for name, low, high in parts if low is not None or high is not None]
    return ", ".join(texts) or "everywhere"


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.0f}"


def _rate(part: Part) -> str:
    limits = part.interval
    return percent(part.wer) + ("" if limits is None else f" [{percent(limits.low)}, {percent(limits.high)}]")


def _limits(interval: Interval | None) -> str:
    return "" if interval is None else f" [{_signed(interval.low)}, {_signed(interval.high)}]"
