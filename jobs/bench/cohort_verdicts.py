"""What the benchmark `cohorts` collects over seeds, and its verdicts by the criteria at the top of `cohorts.py`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobs.bench.known_regions import Heard, variance_interval
from ssl_asr.adaptation.fairness_stage import EXTRACTOR
from ssl_asr.adaptation.measures import ADAPTED, MAXIMUM, MEAN, OTHERS, OVERALL, VARIANCE
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.studies.verdict import Verdict

# The control: `embedding` with 0 dimensions passes over all training speech, and learns no embedding.
CONTROL = "embedding"
NAMES = {CONTROL: "all speech"}
FALL, SHARES, LEVEL, LEAST_SEEDS = 0.079, (0.05, 0.5), 0.05, 3  # the criteria
PUBLISHED_CHANGES = {VARIANCE: -7.9, MAXIMUM: -3.2, OVERALL: -1.3}  # percent
PUBLISHED_GAPS = {"places": {"gap": 41.7, "share": 0.8}, "voices": {"gap": 65.0, "share": 10.0}}  # percent
FIGURES = (ADAPTED, OTHERS, OVERALL, MEAN, MAXIMUM, VARIANCE)
VOICES = f"voices:{EXTRACTOR}"
# By the talkers that are compared: how they are divided.
WAYS = {"simulated": ("geo", "tag:accent", VOICES), "all": ("tag:corpus", VOICES)}


@dataclass(frozen=True)
class Discovered:
    """A gap is relative, 0.4 is 40 %; `share` is the bottom part's of the words. None where it can't be told."""

    gap: float
    share: float
    p: float
    p_within_sets: float | None


Changes = Mapping[str, float]  # relative changes by figure: -0.1 is a tenth less


@dataclass(frozen=True)
class Adapted:
    """What a method changed in one seed: over the regions that were found, and over the accents."""

    regions: Changes
    accents: Changes
    heard: Heard


@dataclass
class Seen:
    """What the seeds gave, by seed, then by method or by way of dividing; why a seed gave nothing."""

    asked: Sequence[int]
    adapted: dict[int, dict[str, Adapted]] = field(default_factory=dict)
    found: dict[int, dict[str, Discovered]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    def of_method(self, method: str) -> list[Adapted]:
        return [each[method] for each in self.adapted.values() if method in each]

    def of_way(self, name: str) -> list[Discovered]:
        return [each[name] for each in self.found.values() if name in each]


def mitigation_verdict(
    changes: Sequence[Changes], asked: int, interval: tuple[float, float] | None, control: float | None
) -> Verdict:
    """Of the changes over accents in each seed; `control` is the mean change of the variance by the control."""
    if not changes or asked < LEAST_SEEDS:
        return "can't tell"
    variances = [each[VARIANCE] for each in changes]
    fall = statistics.fmean(variances)
    if statistics.fmean(each[MEAN] for each in changes) > 0 or fall >= 0:
        return "not"
    if interval is None or interval[1] >= 0:
        return "not" if interval is not None and interval[0] > -FALL else "can't tell"
    sure = len(changes) == asked and max(variances) < 0
    return "reproduced" if sure and fall <= -FALL and control is not None and fall < control else "partly"


def discovery_verdict(places: Sequence[Discovered], voices: Sequence[Discovered], asked: int) -> Verdict:
    if not places or not voices or asked < LEAST_SEEDS:
        return "can't tell"
    sure = sum(each.p < LEVEL for each in voices) >= 2 * asked / 3
    if not sure or not SHARES[0] <= statistics.fmean(each.share for each in voices) <= SHARES[1]:
        return "not"
    gaps = [statistics.fmean(each.gap for each in found) for found in (places, voices)]
    return "reproduced" if gaps[1] >= gaps[0] and min(len(places), len(voices)) == asked else "partly"


def interval_of(seen: Seen, method: str) -> tuple[float, float] | None:
    return variance_interval([each.heard for each in seen.of_method(method)], Draws(2000, 1))


def verdicts_of(seen: Seen) -> dict[str, Verdict]:
    """By method of mitigation, and of `discovery`."""
    control = [each.accents[VARIANCE] for each in seen.of_method(CONTROL)]
    mean = statistics.fmean(control) if control else None
    found: dict[str, Verdict] = {}
    for method in methods_of(seen):
        if method != CONTROL:
            changes = [each.accents for each in seen.of_method(method)]
            found[method] = mitigation_verdict(changes, len(seen.asked), interval_of(seen, method), mean)
    places, voices = (seen.of_way(f"simulated by {way}") for way in ("geo", VOICES))
    return {**found, "discovery": discovery_verdict(places, voices, len(seen.asked))}


def methods_of(seen: Seen) -> list[str]:
    """The control last."""
    found = {method for each in seen.adapted.values() for method in each}
    return sorted(found, key=lambda name: (name == CONTROL, name))
