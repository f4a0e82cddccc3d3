"""The cutter against its promises, on random speech; and what `quietest_place` chooses."""

import math
from itertools import pairwise

import numpy as np
import pytest

from ssl_asr.corpus.segment.cutting import Cutter, Cutting, Span, quietest_place

WINDOW = 0.032
CUTTINGS = [
    Cutting(),
    Cutting(min_seconds=3, max_seconds=10, padding_seconds=0.1),
    Cutting(min_seconds=0.05, max_seconds=2, padding_seconds=0.5, min_speech_seconds=0.032),
    Cutting(min_seconds=0, max_seconds=1, padding_seconds=0),
]


def _spans(cutting: Cutting, probabilities: np.ndarray, powers: np.ndarray, cuts: list[int]) -> list[Span]:
    cutter, spans = Cutter(cutting, WINDOW), []
    for some, power in zip(np.split(probabilities, cuts), np.split(powers, cuts), strict=True):
        spans += cutter.add(some, power)
        assert not spans or cutter.needed >= spans[-1].begin
    return spans + cutter.finish()


def _random_speech(seed: int) -> np.ndarray:
    """Probabilities of windows: runs of speech and pauses, from single windows to minutes, and unsure ones."""
    random = np.random.default_rng(seed)
    runs = []
    for _ in range(int(random.integers(0, 30))):
        length = int(random.choice([1, 2, 5, 12, 30, 90, 800], p=[0.2, 0.1, 0.2, 0.2, 0.15, 0.1, 0.05]))
        level = random.choice([0.02, 0.4, 0.6, 0.98], p=[0.4, 0.1, 0.1, 0.4])
        runs.append(np.full(max(1, int(length * random.uniform(0.5, 1.5))), level))
    return np.concatenate([np.zeros(0), *runs])


@pytest.mark.parametrize("cutting", CUTTINGS)
def test_no_speech_is_lost_and_no_span_too_short_or_too_long(cutting: Cutting) -> None:
    for seed in range(60):
        probabilities = _random_speech(seed)
        powers = np.random.default_rng(seed).random(len(probabilities))
        spans = _spans(cutting, probabilities, powers, [])
        assert [span.begin for span in spans] == sorted(span.begin for span in spans)
        assert all(before.end <= after.begin for before, after in pairwise(spans))
        least = min(math.ceil(cutting.min_seconds / WINDOW), len(probabilities))
        most = math.floor(cutting.max_seconds / WINDOW)
        assert all(least <= span.end - span.begin <= most for span in spans), seed
        inside = np.zeros(len(probabilities), bool)
        for span in spans:
            inside[span.begin : span.end] = True
        _check_speech(cutting, probabilities, inside)


def _check_speech(cutting: Cutting, probabilities: np.ndarray, inside: np.ndarray) -> None:
    """All speech is inside with its padding, except for groups of windows that are too few and far from others."""
    padding = math.ceil(cutting.padding_seconds / WINDOW)
    far = padding + max(math.ceil(cutting.min_seconds / WINDOW), padding)
    voiced = np.flatnonzero(probabilities >= cutting.threshold)
    for group in np.split(voiced, np.flatnonzero(np.diff(voiced) > far) + 1):
        if len(group) >= max(1, cutting.min_speech_seconds / WINDOW):
            assert all(inside[max(0, place - padding) : place + padding + 1].all() for place in group)


@pytest.mark.parametrize("cutting", CUTTINGS)
def test_spans_do_not_depend_on_how_windows_arrive(cutting: Cutting) -> None:
    for seed in range(20):
        probabilities, random = _random_speech(seed), np.random.default_rng(seed)
        powers = random.random(len(probabilities))
        cuts = np.sort(random.integers(0, len(probabilities) + 1, int(random.integers(0, 50))))
        assert _spans(cutting, probabilities, powers, list(cuts)) == _spans(cutting, probabilities, powers, [])


def test_memory_is_that_of_one_span() -> None:
    cutter = Cutter(Cutting(), WINDOW)
    for _ in range(20):
        cutter.add(np.ones(1000), np.ones(1000))
        assert cutter._time - cutter.needed < 2 * 15 / WINDOW


def test_speech_over_the_limit_is_cut_in_its_longest_pause() -> None:
    probabilities = np.ones(700)
    probabilities[300:304] = probabilities[380:390] = probabilities[440:444] = 0
    first, second = _spans(Cutting(), probabilities, np.ones(700), [])
    assert (first.end, second.begin) == (385, 385)


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    powers = np.ones(700)
    powers[350:352] = 0.1
    first, second = _spans(Cutting(), np.ones(700), powers, [])
    assert (first, second) == (Span(0, 351), Span(351, 700))


@pytest.mark.parametrize(
    ("speech", "first", "last", "place"),
    [
        ([1, 1, 0, 1, 0, 0, 1, 1], 1, 7, 5),
        ([1, 1, 0, 1, 0, 0, 1, 1], 1, 3, 2),
        ([1, 0, 1, 1, 1, 0, 1, 1], 1, 7, 5),  # the later one of equals
        ([1, 0, 0, 0, 0, 0, 0, 1], 5, 7, 5),  # as near to the middle as allowed
        ([0, 0, 0, 1, 1, 0, 1, 1], 1, 7, 5),  # what comes before all speech is no pause
        ([1, 1, 1, 1, 1, 1, 1, 1], 2, 7, 4),
    ],
)
def test_places_of_cuts(speech: list[int], first: int, last: int, place: int) -> None:
    powers = np.array([0.1, 0.1, 5, 1, 1, 2, 3, 0.1])
    assert quietest_place(np.array(speech, bool), powers, first, last) == place


def test_lengths_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 1 s can't keep 0\.6 s and 0\.2 s of padding"):
        Cutter(Cutting(max_seconds=1), WINDOW)
