"""Trials of speaker verification: some utterances enrol a speaker, others claim to be of an enrolled speaker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.training.data.sources import seed_of

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Spoken:
    """An utterance and its speaker."""

    id: str
    speaker: str


@dataclass(frozen=True)
class TrialSettings:
    """How many utterances enrol a speaker; the most test utterances of each, and the most false claims of these."""

    enrolled: int = 3
    most_tests: int = 50
    most_impostors: int = 100
    seed: int = 1


@dataclass(frozen=True)
class Trials:
    """`speakers` are sorted; `enrolled` has for each the places of the utterances that enrol it.

    A trial asks whether the utterance at `tests` [trials], of the speaker `spoken_by` [trials], is of the speaker
    `claimed` [trials]. `single` speakers have one utterance, so they are in no trial.
    """

    speakers: Sequence[str]
    enrolled: Sequence[Int]
    tests: Int
    spoken_by: Int
    claimed: Int
    single: int

    @property
    def is_target(self) -> Bool:
        """Whether the claim of each trial is true."""
        return self.spoken_by == self.claimed


def make_trials(utterances: Sequence[Spoken], settings: TrialSettings) -> Trials:
    """The same for the same utterances in any order; places are those in `utterances`.

    ValueError in one sentence where less than two speakers have two utterances.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(utterances):
        places[each.speaker].append(place)
    speakers = sorted(name for name, found in places.items() if len(found) > 1)
    if len(speakers) < 2:
        raise ValueError(
            f"trials need two speakers with two utterances each, one to enrol and one to test; of {len(places):,} "
            f"speakers {len(speakers)} have so many"
        )
    enrolled, tests, spoken_by, claimed = list[Int](), list[int](), list[int](), list[int]()
    for number, name in enumerate(speakers):
        mixed = _mixed(utterances, places[name], settings.seed)
        count = min(settings.enrolled, len(mixed) - 1)
        enrolled.append(np.array(mixed[:count]))
        for place in mixed[count:][: settings.most_tests]:
            models = [number, *_impostors(utterances[place].id, number, len(speakers), settings)]
            tests += [place] * len(models)
            spoken_by += [number] * len(models)
            claimed += models
    single = len(places) - len(speakers)
    return Trials(speakers, enrolled, np.array(tests), np.array(spoken_by), np.array(claimed), single)


def _mixed(utterances: Sequence[Spoken], places: Sequence[int], seed: int) -> list[int]:
    """In an order that depends on the ids alone."""
    return sorted(places, key=lambda place: (seed_of(seed, "enrol", utterances[place].id), utterances[place].id))


def _impostors(utterance: str, own: int, speakers: int, settings: TrialSettings) -> list[int]:
    """Other speakers whom the utterance claims to be."""
    others = np.delete(np.arange(speakers), own)
    if len(others) > settings.most_impostors:
        random = np.random.default_rng(seed_of(settings.seed, "claim", utterance))
        others = np.sort(random.choice(others, settings.most_impostors, replace=False))
    return [int(each) for each in others]


def cosine_scores(vectors_nd: Float, trials: Trials) -> npt.NDArray[np.float64]:
    """Of each trial [trials]: the cosine between the test utterance and the claimed speaker's enrolment.

    A speaker is enrolled as the mean of the utterances' vectors, each at length 1. A vector may not be all zero.
    """
    units_nd = _at_length_one(vectors_nd.astype(np.float64))
    models_sd = _at_length_one(np.stack([units_nd[places].mean(axis=0) for places in trials.enrolled]))
    scores: npt.NDArray[np.float64] = (units_nd[trials.tests] * models_sd[trials.claimed]).sum(axis=1)
    return scores


def _at_length_one(vectors_nd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    assert lengths.all(), "a vector that is all zero has no direction"
    return vectors_nd / lengths
