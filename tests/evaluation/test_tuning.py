"""The search for the scales: what it tries, in which order, and that it ends at the best."""

import math

import pytest

from ssl_asr.decoding.scores import Scales
from ssl_asr.evaluation.tuning import MOST_STEPS, Grid, best_scales, is_at_bound, next_scales

GRID = Grid((0.2, 0.3, 0.45), (1.0, 0.75, 0.5))


def _search(rate, grid=GRID):
    """All rounds of a search in which scales have the word error rate that `rate` gives them, and the best."""
    tried, rounds = {}, []
    while wanted := next_scales(tried, grid):
        assert not {*wanted} & {*tried}, "nothing is decoded twice"
        rounds.append(wanted)
        tried |= {each: rate(each) for each in wanted}
        assert len(rounds) < 30
    return rounds, best_scales(tried, grid)


def _valley(kappa, prior=1.0):
    return lambda each: abs(math.log(each.kappa / kappa)) + abs(each.prior - prior)


def test_kappa_first_then_the_prior_scale_at_the_best_kappa():
    rounds, best = _search(_valley(0.3))
    assert rounds == [
        [Scales(0.2), Scales(0.3), Scales(0.45)],
        [Scales(0.3, 0.75), Scales(0.3, 0.5)],
    ]
    assert best == Scales(0.3)


def test_kappa_again_from_the_best_where_another_prior_scale_is_better():
    """The valley is oblique: with less of the prior, a smaller kappa is best."""
    rounds, best = _search(
        lambda each: 0.3 * abs(math.log(each.kappa / 0.3 / each.prior**2)) + abs(each.prior - 0.75)
    )
    assert rounds[2:] == [[Scales(0.2, 0.75), Scales(0.45, 0.75)], [Scales(0.133, 0.75)]]
    assert best == Scales(0.2, 0.75)


@pytest.mark.parametrize(("kappa", "found"), [(0.7, 0.675), (1.6, 1.52), (0.1, 0.0889), (0.06, 0.0593)])
def test_an_optimum_at_the_edge_widens_the_grid_until_it_is_inside(kappa, found):
    rounds, best = _search(_valley(kappa), Grid(GRID.kappas, (1.0,)))
    assert best.kappa == found
    assert not is_at_bound(best, GRID)
    # One kappa beyond the best was tried too: an optimum is seen from both sides.
    assert rounds[-1][0].kappa > found if kappa > 0.45 else rounds[-1][0].kappa < found


@pytest.mark.parametrize("kappa", [1e-6, 1e6])
def test_the_widening_is_bounded_and_the_bound_is_told(kappa):
    rounds, best = _search(_valley(kappa), Grid(GRID.kappas, (1.0,)))
    assert len(rounds) == 1 + MOST_STEPS
    assert is_at_bound(best, GRID)
    assert not is_at_bound(Scales(0.2), GRID)


def test_far_apart_kappas_are_widened_by_less_than_their_distance():
    rounds, best = _search(_valley(1.0), Grid((0.001, 0.5), (1.0,)))
    assert rounds[1:] == [[Scales(1.0)], [Scales(2.0)]]
    assert best == Scales(1.0)


def test_a_single_kappa_is_taken_as_it_is():
    grid = Grid((0.3,), (1.0,))
    assert _search(_valley(9), grid) == ([[Scales(0.3)]], Scales(0.3))
    assert not is_at_bound(Scales(0.3), grid)


def test_a_system_that_hears_nothing_ends_the_search_at_once():
    """All rates are equal: nothing beyond the recipe's scales is better, and the usual prior scale stays."""
    rounds, best = _search(lambda each: 1.0)
    assert best == Scales(0.2)
    assert rounds[1:] == [[Scales(0.133)], [Scales(0.2, 0.75), Scales(0.2, 0.5)]]


def test_the_choice_does_not_depend_on_the_order_of_the_recipe_or_of_what_was_tried():
    rate = _valley(0.5, 0.6)
    rounds, best = _search(rate)
    shuffled = Grid(tuple(reversed(GRID.kappas)), tuple(reversed(GRID.priors)))
    assert _search(rate, shuffled)[1] == best
    tried = {each: rate(each) for scales in reversed(rounds) for each in reversed(scales)}
    assert best_scales(tried, GRID) == best


@pytest.mark.parametrize(
    ("priors", "prior", "beyond"), [((1.0, 0.75), 0.25, [0.5, 0.25, 0.0]), ((0.25, 0.5), 1.0, [0.75, 1.0])]
)
def test_prior_scales_are_widened_too_between_none_and_the_whole_prior(priors, prior, beyond):
    rounds, best = _search(_valley(0.3, prior), Grid((0.3,), priors))
    assert rounds[2:] == [[Scales(0.3, each)] for each in beyond]
    assert best == Scales(0.3, prior)


def test_prior_scales_close_together_are_widened_in_larger_steps():
    ladder = Grid((0.3,), (0.5, 0.5001)).prior_ladder()
    assert (ladder[0], ladder[-1]) == (0, 1)
    assert len(ladder) <= 22


def test_without_a_prior_scale_of_one_the_search_begins_at_the_closest():
    rounds, _ = _search(_valley(0.3), Grid((0.3,), (0.25, 0.5)))
    assert rounds[0] == [Scales(0.3, 0.5)]
