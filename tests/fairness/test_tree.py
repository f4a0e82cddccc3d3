"""The geographic tree: true cuts are found, none is made up below the first, and regions cover the earth once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.partition import Positions
from ssl_asr.fairness.places import counted_from, west_of
from ssl_asr.fairness.scored_table import Counts
from ssl_asr.fairness.tree import LEVEL, Tree, grow


def drawn(rates: np.ndarray, seed: int = 0, words: int = 400) -> Counts:
    random = np.random.default_rng(seed)
    return Counts(np.full(len(rates), words), random.binomial(words, np.clip(rates, 0, 1)))


def test_true_cuts_of_both_axes_are_found():
    degrees = np.random.default_rng(1).uniform([30, -120], [48, -70], (200, 2))
    south, east = degrees[:, 0] < 36, degrees[:, 1] >= -90
    tree = grow(degrees, drawn(np.where(south, np.where(east, 0.5, 0.3), 0.1)), Least(1000, 10), seed=1)
    assert tree is not None
    first, second = tree.cuts[:2]
    assert (first.axis, second.axis) == (0, 1)
    assert ((degrees[:, 0] < first.at) == south).all()
    assert ((degrees[:, 1] >= second.at) == east)[south].all()
    assert (first.depth, second.depth, first.p) == (0, 1, 0.01)
    assert second.region.high[0] == first.at
    labels = tree.labels(degrees)
    assert len({*labels[south & east]} | {*labels[south & ~east]}) >= 2
    assert not {*labels[south & east]} & {*labels[south & ~east]}


def test_without_a_difference_a_second_cut_is_rare():
    degrees = np.random.default_rng(2).uniform([30, -120], [48, -70], (60, 2))
    more = sum(len(tree_of(degrees, seed).cuts) > 1 for seed in range(40))
    assert more <= 6  # the first cut is believed in 5 % of the cases


def tree_of(degrees: np.ndarray, seed: int) -> Tree:
    rates = np.random.default_rng(seed).normal(0.2, 0.05, len(degrees))
    tree = grow(degrees, drawn(rates, seed, 50), Least(100, 5), seed)
    assert tree is not None
    assert all(cut.p <= LEVEL for cut in tree.cuts[1:])
    return tree


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_regions_leave_the_least_and_cover_the_earth_once(seed):
    random = np.random.default_rng(seed)
    degrees = random.integers(-3, 4, (40, 2)).astype(float)  # many at one place
    counts, least = drawn(0.2 + 0.1 * (degrees[:, 0] > 0), seed, 100), Least(300, 4)
    tree = grow(degrees, counts, least, seed)
    if tree is None:
        return
    labels = tree.labels(degrees)
    assert np.bincount(labels, minlength=len(tree.regions)).min() >= least.speakers
    assert counts.by_label(labels, len(tree.regions)).words.min() >= least.words
    anywhere = random.uniform([-90, -180], [90, 360], (100, 2))
    assert tree.labels(anywhere).max() < len(tree.regions) == len(tree.cuts) + 1


def test_too_few_speakers_for_a_cut():
    degrees = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    assert grow(degrees, drawn(np.full(3, 0.2)), Least(1, 2), 1) is None
    assert grow(degrees[:1], drawn(np.full(1, 0.2)), Least(0, 0), 1) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(-180, 179))
def test_the_tree_does_not_depend_on_where_longitudes_begin(seed, turn):
    random = np.random.default_rng(seed)
    degrees = np.column_stack([random.uniform(-40, 40, 40), random.uniform(0, 90, 40).round(3)])
    counts = drawn(0.1 + 0.3 * (degrees[:, 1] > 45), seed)
    around = (degrees[:, 1] + turn + 180) % 360 - 180
    west = west_of(around)
    turned = np.column_stack([degrees[:, 0], counted_from(west, around)])
    assert np.ptp(turned[:, 1]) < 91
    least = Least(100, 5)
    labels = [grow(each, counts, least, 1).labels(each) for each in (degrees, turned)]
    assert (labels[0] == labels[1]).all()


def test_positions_become_cohorts():
    degrees = np.column_stack([np.linspace(0, 10, 20), np.zeros(20)])
    counts = drawn(np.where(degrees[:, 0] > 5, 0.4, 0.1))
    positions = Positions(degrees, -180.0)
    found = positions.partition(counts, Least(100, 5), 1)
    assert found is not None
    assert (found.bottom[positions.labels(found)] == (degrees[:, 0] > 5)).all()
