"""The training speech of a cohort: utterances of its speakers in the splits that are trained on, and in no other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from ssl_asr.adaptation.cohort import CohortOf
from ssl_asr.store import utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from ssl_asr.training.data.examples import Example, Reader
from ssl_asr.training.data.sources import SlabRef, Source, SourceName

COHORT = "cohort-"
_LEAST_SPEAKERS = 2
_FRAMES_A_SECOND = 100
Seconds = defaultdict[str, float]


@dataclass(frozen=True)
class CohortSpeech:
    """`seconds` of the speakers' utterances by split and by slab: the number of its shard and its own.

    `cohorts` are those of all speakers that are in one.
    """

    speakers: frozenset[str]
    seconds: Mapping[str, Mapping[tuple[int, int], float]]
    cohorts: Mapping[str, str]

    def hours(self) -> float:
        return sum(sum(slabs.values()) for slabs in self.seconds.values()) / 3600


@dataclass(frozen=True)
class CohortReader:
    """Reads as `reader`, and of the sources of a cohort the utterances of its `speakers` alone."""

    reader: Reader
    speakers: frozenset[str]

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        whole = source.removeprefix(COHORT)
        examples = self.reader.read(whole, ref, offset)
        return examples if whole == source else [each for each in examples if each.speaker in self.speakers]


def find_speech(run: str, splits: Sequence[str], cohort_of: CohortOf, wanted: Collection[str]) -> CohortSpeech:
    """ValueError where there is none, or of one speaker alone.

    A speaker is of the cohort of most seconds of the utterances that are of any.
    """
    spoken: defaultdict[str, Seconds] = defaultdict(_none)  # by speaker and cohort
    slabs: dict[str, dict[tuple[int, int], Seconds]] = {}  # by speaker
    store = ShardStore(run, utterance.STORE)
    for split in splits:
        found = slabs.setdefault(split, {})
        for entry in store.entries(split):
            for slab in range(len(entry.slabs)):
                sums = found.setdefault((entry.shard.number, slab), _none())
                for each in utterance.decode(store.read_slab(entry.shard, slab)):
                    sums[each.speaker] += each.duration
                    if (name := cohort_of(each.speaker, each.tags)) is not None:
                        spoken[each.speaker][name] += each.duration
    main = _main(spoken)
    speakers = frozenset(speaker for speaker, name in main.items() if name in wanted)
    _check(speakers, splits, wanted)
    seconds = {split: _with_speakers(found, speakers) for split, found in slabs.items()}
    return CohortSpeech(speakers, seconds, main)


def cohorts_in(said: Iterable[Utterance], cohort_of: CohortOf) -> dict[str, str]:
    """By speaker, of those whose utterances are in one."""
    spoken: defaultdict[str, Seconds] = defaultdict(_none)
    for each in said:
        if (name := cohort_of(each.speaker, each.tags)) is not None:
            spoken[each.speaker][name] += each.duration
    return _main(spoken)


def _main(spoken: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """The cohort of most seconds of each speaker."""
    return {speaker: min(names, key=lambda name: (-names[name], name)) for speaker, names in spoken.items()}


def shared_cohorts(cohorts: Mapping[str, str]) -> tuple[str, ...]:
    """Those of two speakers or more, by name: what is learned of one is of no cohort."""
    sizes = Counter(cohorts.values())
    return tuple(sorted(name for name, size in sizes.items() if size >= _LEAST_SPEAKERS))


def _check(speakers: Collection[str], splits: Sequence[str], wanted: Collection[str]) -> None:
    what = f"{'the cohort' if len(wanted) == 1 else 'the cohorts'} {', '.join(sorted(wanted))}"
    if not speakers:
        raise ValueError(
            f"no utterance of {' or '.join(splits)} is of {what}, and on dev and test nothing is trained; tag the "
            "training speech too, or name another cohort"
        )
    if len(speakers) < _LEAST_SPEAKERS:
        raise ValueError(
            f"{what} has one speaker in the training speech, and what is learned of one is of no cohort; name another"
        )


def _none() -> Seconds:
    return defaultdict(float)


def _with_speakers(
    slabs: Mapping[tuple[int, int], Seconds], speakers: frozenset[str]
) -> dict[tuple[int, int], float]:
    found = {place: sum(each for name, each in sums.items() if name in speakers) for place, sums in slabs.items()}
    return {place: seconds for place, seconds in found.items() if seconds}


def cohort_source(whole: Source, speech: CohortSpeech) -> Source:
    """The slabs of `whole` in which the cohort speaks; their frames are those of its speakers, about."""
    seconds = speech.seconds.get(whole.split, {})
    rows = [
        (number, slab, round(seconds[number, slab] * _FRAMES_A_SECOND))
        for number, slab, _ in whole.table.tolist()
        if (number, slab) in seconds
    ]
    table = np.array(rows, np.int32).reshape(-1, 3)
    return replace(whole, name=cast(SourceName, COHORT + whole.name), table=table)
