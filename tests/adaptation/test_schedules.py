"""Shares of frames that are replayed, and how often a cohort is heard, whatever the sizes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.adaptation.schedules import adaptation_schedule, objectives_of, oversampled_schedule
from ssl_asr.recipe import Adapt, Student
from ssl_asr.training.data.sources import Source, SourceName
from ssl_asr.training.phases import student_schedule
from ssl_asr.training.schedule import UNLABELED, Phase

OBJECTIVES = objectives_of(["labeled", "unlabeled"])


def source(name: SourceName, slabs: int, frames: int) -> Source:
    table = np.zeros((slabs, 3), np.int32)
    table[:, 1], table[:, 2] = np.arange(slabs), frames
    return Source(name, name.removeprefix("cohort-"), table, 1)


def slabs_of(phases: list[Phase], name: str) -> int:
    return sum(phase.count for phase in phases if phase.source == name)


def is_a_stream(phases: list[Phase], name: str) -> bool:
    """Every slab in turn, none left out and none twice."""
    mine = [phase for phase in phases if phase.source == name]
    return [each.first for each in mine] == np.cumsum([0, *(each.count for each in mine)])[:-1].tolist()


@given(st.integers(1, 30), st.integers(1, 200), st.floats(0.05, 0.9), st.integers(1, 5))
def test_replay_is_its_share_of_the_frames(slabs: int, whole: int, share: float, passes: int) -> None:
    cohort, general = source("cohort-unlabeled", slabs, 300), source("unlabeled", whole, 6000)
    settings = Adapt(passes=passes)
    phases = adaptation_schedule(settings, [cohort], {"unlabeled": general}, OBJECTIVES, share)
    assert slabs_of(phases, "cohort-unlabeled") == passes * slabs
    heard, again = passes * slabs * 300, slabs_of(phases, "unlabeled") * 6000
    assert again == pytest.approx(share / (1 - share) * heard, abs=3001)
    assert is_a_stream(phases, "cohort-unlabeled")
    assert is_a_stream(phases, "unlabeled")
    assert sum(phase.ends_sub_epoch for phase in phases) == passes
    assert phases[-1].ends_sub_epoch
    assert all(phase.objective == UNLABELED and phase.whole for phase in phases)


def test_without_replay_there_are_passes_over_both_sources_at_falling_rates() -> None:
    cohort = [source("cohort-labeled", 2, 100), source("cohort-unlabeled", 5, 100)]
    phases = adaptation_schedule(Adapt(passes=2), cohort, {}, OBJECTIVES, 0)
    assert [(each.source, each.first, each.count) for each in phases] == [
        ("cohort-labeled", 0, 2),
        ("cohort-unlabeled", 0, 5),
        ("cohort-labeled", 2, 2),
        ("cohort-unlabeled", 5, 5),
    ]
    assert [phase.learning_rate for phase in phases] == pytest.approx([2e-4, 2e-4, 5e-5, 5e-5])


@given(st.integers(1, 40), st.integers(2, 5))
def test_oversampling_repeats_the_cohort_within_the_students_schedule(slabs: int, repeats: int) -> None:
    labeled, unlabeled = source("labeled", 4, 6000), source("unlabeled", 40, 6000)
    cohort = source("cohort-unlabeled", slabs, 300)
    before = student_schedule(Student(sub_epochs=5), labeled, unlabeled)
    phases = oversampled_schedule(before, cohort, unlabeled, repeats)
    assert [phase for phase in phases if phase.source != cohort.name] == before
    assert slabs_of(phases, cohort.name) == pytest.approx((repeats - 1) * slabs, abs=1)
    assert is_a_stream(phases, cohort.name)
    for first, then in pairwise(phases):
        if then.source == cohort.name:
            assert replace(then, source="unlabeled", first=first.first, count=first.count) == first
