"""The page and the tables of an adaptation: the sweep as a curve, what dev chose, and figures with signs."""

from dataclasses import replace

import pytest

from ssl_asr.adaptation.measures import FIGURES, VARIANCE, Change
from ssl_asr.adaptation.results import AdaptResults, SweepPoint, best_of
from ssl_asr.adaptation.table import format_adapted, unknown_rows
from ssl_asr.evaluation.bootstrap import Interval
from ssl_asr.report.adapted import gap_and_forgetting, render_adapted

CHANGES = [
    Change(name, 5, 0.0004 if name == VARIANCE else 0.3, 0.0001 if name == VARIANCE else 0.25, None)
    for name in FIGURES
] + [Change("south <x>", 3, 0.5, 0.4, Interval(-0.1, -0.15, -0.02))]
SWEEP = [
    SweepPoint(None, 0.5, 0.2),
    SweepPoint(0.1, 0.3, 0.45),
    SweepPoint(1, 0.35, 0.25),
    SweepPoint(10, 0.4, 0.2),
]
RESULTS = AdaptResults(
    run="runs/mine",
    name="adapted-student-ewc-abc123",
    model="student",
    method="ewc",
    by="tag:region",
    cohorts=["south <x>"],
    speakers=7,
    hours=1.25,
    sweep=SWEEP,
    chosen=1.0,
    system="adapted-student-ewc-abc123-1",
    changes=CHANGES,
)


def test_dev_chooses_the_lowest_mean_and_of_equals_the_weakest() -> None:
    assert best_of(SWEEP) == 1.0  # 0.3, as strength 10
    assert best_of([SWEEP[0], SweepPoint(7, None, None)]) == 7.0


def test_the_curve_is_of_gap_and_forgetting() -> None:
    found = [(gap, lost) for _, gap, lost in gap_and_forgetting(RESULTS)]
    assert found == [pytest.approx(pair) for pair in ((30, 0), (-15, 25), (10, 5), (20, 0))]
    page = render_adapted(RESULTS)
    assert "<svg" in page
    assert "1, chosen" in page
    assert "south &lt;x&gt;" in page
    assert "south <x>" not in page
    unknown = replace(RESULTS, sweep=[SweepPoint(None, None, 0.2), SweepPoint(1, None, 0.2)])
    assert "<svg" not in render_adapted(unknown)


def test_what_a_model_is_worth_without_a_cohort_has_a_table_of_its_own() -> None:
    known = Change("south <x>", 3, 0.5, 0.411, None)
    results = replace(RESULTS, method="embedding", unknown=[known])
    assert unknown_rows(RESULTS) is None
    (row,) = (unknown_rows(results) or [])[1:]
    assert row == ["south <x>", "3", "50.0", "41.1", "-8.9"]
    assert "no cohort known" in format_adapted(results)
    assert "41.1" in render_adapted(results)
    assert "41.1" not in render_adapted(RESULTS)


def test_tables_have_points_with_signs_and_say_where_nothing_was_gained() -> None:
    told = format_adapted(RESULTS)
    assert "-10.0 [-15.0, -2.0]" in told
    (variance,) = (line.split() for line in told.splitlines() if line.startswith(VARIANCE))
    assert variance[2:] == ["4.0", "1.0", "-3.0"]  # in squared points
    assert "no strength is better" not in told
    assert "no cohort known" not in told
    assert "no strength is better" in format_adapted(replace(RESULTS, chosen=0.1))
