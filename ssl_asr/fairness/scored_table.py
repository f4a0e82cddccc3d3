"""Scored utterances with the tags by which their speakers can be grouped, and what each speaker adds up to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.scoring import ScoredUtterance

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TaggedUtterance:
    """A scored utterance with its tags. Its test set is that of `scored`; the tag `set` may be missing."""

    scored: ScoredUtterance
    tags: Mapping[str, str]


@dataclass(frozen=True)
class ScoredTable:
    """What `system` recognised, from `source`: a run or a file."""

    source: str
    system: str
    utterances: Sequence[TaggedUtterance]

    def __post_init__(self) -> None:
        if not any(each.scored.edits.words for each in self.utterances):
            raise ValueError(f"{self.source} has no utterance with a reference text; there is nothing to score")

    @property
    def tag_names(self) -> list[str]:
        return sorted({name for each in self.utterances for name in each.tags})


@dataclass(frozen=True)
class Counts:
    """Reference words and word errors [speakers]."""

    words: Int
    errors: Int

    def rows(self, which: Int | Bool) -> Counts:
        return Counts(self.words[which], self.errors[which])

    @property
    def wer(self) -> float:
        return float(self.errors.sum() / max(self.words.sum(), 1))

    def by_label(self, labels: Int, cohorts: int) -> Counts:
        """Sums [cohorts] over the speakers of each label [speakers]."""
        words, errors = (
            np.bincount(labels, each, minlength=cohorts).astype(np.int64) for each in (self.words, self.errors)
        )
        return Counts(words, errors)

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """Word error rate of each row; without a reference word, its number of errors."""
        return self.errors / np.maximum(self.words, 1)


@dataclass(frozen=True)
class Speakers:
    """One row a speaker, by name: so results do not depend on the order of utterances.

    `channels` [speakers] numbers the test set, with the tag `channel`, of most of a speaker's words; `channel_names`
    has their names by number. `utterances` has the places of each speaker's in the table.
    """

    names: Sequence[str]
    counts: Counts
    channels: Int
    channel_names: Sequence[str]
    utterances: Sequence[Sequence[int]]


@dataclass(frozen=True)
class MainValues:
    """What is said of each speaker: the value of most words among the utterances that have one; None if none has.

    `unknown` utterances have none. `varying` speakers have several values, `other_words` of the words of the speakers
    with a value are under another than their main one.
    """

    values: Sequence[str | None]
    unknown: int
    varying: int
    other_words: float


def speakers_of(table: ScoredTable) -> Speakers:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(table.utterances):
        places[each.scored.speaker].append(place)
    names = sorted(places)
    edits = [[table.utterances[place].scored.edits for place in places[name]] for name in names]
    counts = Counts(
        np.array([sum(each.words for each in found) for found in edits], np.int64),
        np.array([sum(each.errors for each in found) for found in edits], np.int64),
    )
    grouped = [places[name] for name in names]
    channels = main_values(table, grouped, channel_of).values
    known, numbers = np.unique(np.array([each or "" for each in channels]), return_inverse=True)
    return Speakers(names, counts, numbers.astype(np.int64), known.tolist(), grouped)


def channel_of(utterance: TaggedUtterance) -> str:
    """The test set, and the tag `channel` if there is one."""
    channel = utterance.tags.get("channel", "")
    return f"{utterance.scored.set} ({channel})" if channel else utterance.scored.set


def main_values(
    table: ScoredTable, speakers: Sequence[Sequence[int]], value_of: Callable[[TaggedUtterance], str | None]
) -> MainValues:
    """Of the speakers that have the utterances at these places."""
    values: list[str | None] = []
    unknown = varying = words = other = 0
    for places in speakers:
        sizes: Counter[str] = Counter()
        for each in (table.utterances[place] for place in places):
            value = value_of(each)
            if value is None:
                unknown += 1
            else:
                sizes[value] += each.scored.edits.words
        main = min(sizes, key=lambda value: (-sizes[value], value), default=None)
        values.append(main)
        if main is not None:
            varying += len(sizes) > 1
            words += sum(sizes.values())
            other += sum(sizes.values()) - sizes[main]
    return MainValues(values, unknown, varying, other / max(words, 1))
