"""Word errors by speaker, by length, by level range and by word frequency: where each system fails."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.report.errors.utterances import AlignedUtterance

# Limits of bands: seconds of an utterance, its level range in dB, and occurrences of a word in the text.
SECONDS = (1.0, 2.0, 3.0, 5.0, 8.0, 15.0)
DECIBELS = (15.0, 20.0, 25.0, 30.0, 40.0)
OCCURRENCES = (1.0, 2.0, 5.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Band:
    """`errors` of each system among `words` reference words of `utterances` utterances."""

    name: str
    utterances: int
    words: int
    errors: Mapping[str, int]

    def rate(self, system: str) -> float:
        return self.errors[system] / max(self.words, 1)


def by_speaker(utterances: Sequence[AlignedUtterance], system: str, most: int) -> tuple[Band, ...]:
    """The `most` speakers with the most words, the highest error rate of `system` first."""
    bands = _grouped(utterances, lambda each: each.utterance.speaker)
    largest = sorted(bands, key=lambda band: (-band.words, band.name))[:most]
    return tuple(sorted(largest, key=lambda band: (-band.rate(system), band.name)))


def by_length(utterances: Sequence[AlignedUtterance]) -> tuple[Band, ...]:
    """By seconds of audio."""
    return _ordered(utterances, lambda each: each.utterance.duration, SECONDS, "s")


def by_level_range(utterances: Sequence[AlignedUtterance], ranges: Mapping[str, float]) -> tuple[Band, ...]:
    """By the level range in dB; utterances without one are left out."""
    known = [each for each in utterances if each.utterance.id in ranges]
    return _ordered(known, lambda each: ranges[each.utterance.id], DECIBELS, "dB")


def by_frequency(utterances: Sequence[AlignedUtterance], occurrences: Mapping[str, int]) -> tuple[Band, ...]:
    """Reference words by how often a text holds them; what was made up belongs to no reference word."""
    said: Counter[int] = Counter()
    spread: Counter[int] = Counter()
    wrong: dict[str, Counter[int]] = {system: Counter() for each in utterances[:1] for system in each.systems}
    for each in utterances:
        places = [bisect_right(OCCURRENCES, occurrences.get(word, 0)) for word in each.reference]
        said.update(places)
        spread.update(set(places))
        for system, recognised in each.systems.items():
            aligned = (pair for pair in recognised.words if pair.reference)
            wrong[system].update(place for place, pair in zip(places, aligned, strict=True) if not pair.right)
    return tuple(
        Band(_times(place), spread[place], said[place], {system: counts[place] for system, counts in wrong.items()})
        for place in sorted(said)
    )


def _ordered(
    utterances: Iterable[AlignedUtterance],
    measure: Callable[[AlignedUtterance], float],
    limits: Sequence[float],
    unit: str,
) -> tuple[Band, ...]:
    names = [_between(place, limits, unit) for place in range(len(limits) + 1)]
    bands = _grouped(utterances, lambda each: names[bisect_right(limits, measure(each))])
    return tuple(sorted(bands, key=lambda band: names.index(band.name)))


def _grouped(utterances: Iterable[AlignedUtterance], name: Callable[[AlignedUtterance], str]) -> list[Band]:
    groups: dict[str, list[AlignedUtterance]] = {}
    for each in utterances:
        groups.setdefault(name(each), []).append(each)
    return [
        Band(
            name,
            len(group),
            sum(len(each.reference) for each in group),
            {system: sum(each.errors(system) for each in group) for system in group[0].systems},
        )
        for name, group in groups.items()
    ]


def _between(place: int, limits: Sequence[float], unit: str) -> str:
    if place == 0:
        return f"under {limits[0]:g} {unit}"
    if place == len(limits):
        return f"{limits[-1]:g} {unit} and more"
    return f"{limits[place - 1]:g} to {limits[place]:g} {unit}"


def _times(place: int) -> str:
    """A band of whole numbers: its last is one below the next limit."""
    if place == 0:
        return "never"
    first = OCCURRENCES[place - 1]
    if place == len(OCCURRENCES):
        return f"{first:,.0f} and more"
    last = OCCURRENCES[place] - 1
    return "once" if last == 1 else f"{first:,.0f} to {last:,.0f}"
