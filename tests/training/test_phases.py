"""The schedules: every slab exactly once a pass in any order, at the same rates, and a baseline that matches."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from ssl_asr.recipe import load_recipe
from ssl_asr.training.phases import (
    baseline_schedule,
    shorter_schedule,
    student_schedule,
    teacher_schedule,
    topline_schedule,
)
from ssl_asr.training.schedule import Phase
from tests.training.walked import LABELED, ORDERS, STUDENT, UNLABELED, random_student, student_of


def stretch_of(phases: list[Phase], name: str) -> list[int]:
    """Positions of all phases of a source, in the order of training."""
    return [
        position for each in phases if each.source == name for position in range(each.first, each.first + each.count)
    ]


def test_each_pass_is_a_permutation_and_passes_differ() -> None:
    passes = [[UNLABELED.at(sweep * 29 + place) for place in range(29)] for sweep in range(3)]
    for order in passes:
        assert Counter(order) == Counter(UNLABELED)
    assert passes[0] != passes[1] != passes[2]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(30))
def test_every_order_trains_each_slab_once_a_pass_at_the_same_rates(seed: int, order: str) -> None:
    student, labeled, unlabeled = random_student(random.Random(seed), order)
    phases = student_schedule(student, labeled, unlabeled)
    assert all(phase.count > 0 for phase in phases)
    soft, hard = stretch_of(phases, "unlabeled"), stretch_of(phases, "labeled")
    assert soft == list(range(round(student.unlabeled_passes * len(unlabeled))))
    assert hard == list(range(student.sub_epochs * len(labeled)))
    for sweep in range(student.sub_epochs):
        one = [labeled.at(position) for position in hard[sweep * len(labeled) : (sweep + 1) * len(labeled)]]
        assert Counter(one) == Counter(labeled)
    usual = student_schedule(student.model_copy(update={"order": "sub-epochs"}), labeled, unlabeled)
    assert how_trained(phases) == how_trained(usual)


def how_trained(phases: list[Phase]) -> dict[tuple[str, int], tuple[float, int, bool]]:
    """Rate, offset and whole of every position of either source."""
    return {
        (each.source, position): (each.learning_rate, each.offset, each.whole)
        for each in phases
        for position in range(each.first, each.first + each.count)
    }


@pytest.mark.parametrize("seed", range(20))
def test_the_topline_hears_what_the_student_hears_with_labels(seed: int) -> None:
    rng = random.Random(seed)
    student, labeled, unlabeled = random_student(rng, rng.choice(ORDERS))
    phases = student_schedule(student, labeled, unlabeled)
    topline = topline_schedule(phases)
    assert {phase.objective for phase in topline} == {"labeled"}
    for mine, theirs in zip(topline, phases, strict=True):
        assert replace(mine, objective=theirs.objective, offset=theirs.offset) == theirs
    assert [phase for phase in topline if phase.source == "labeled"] == [
        phase for phase in phases if phase.source == "labeled"
    ]
    share = rng.uniform(0.2, 0.9)
    selected = topline_schedule(phases, share)
    heard = stretch_of(selected, "unlabeled")
    assert heard == list(range(len(heard)))
    assert len(heard) == pytest.approx(share * len(stretch_of(phases, "unlabeled")), abs=0.51)


@pytest.mark.parametrize("seed", range(20))
def test_a_shorter_schedule_has_its_share_of_the_slabs_and_all_the_rates(seed: int) -> None:
    rng = random.Random(seed)
    student, labeled, unlabeled = random_student(rng, "sub-epochs")
    matched = baseline_schedule(student_schedule(student, labeled, unlabeled), labeled, unlabeled)
    share = rng.uniform(0.3, 0.9)
    phases = shorter_schedule(matched, share)
    heard = stretch_of(phases, "labeled")
    assert heard == list(range(len(heard)))
    assert len(heard) == pytest.approx(share * len(stretch_of(matched, "labeled")), abs=0.51)
    rates = [phase.learning_rate for phase in phases]
    assert {*rates} <= {phase.learning_rate for phase in matched}
    if all(phase.count * share > 1 for phase in matched):
        assert rates == [phase.learning_rate for phase in matched]
        assert [phase.whole for phase in phases] == [phase.whole for phase in matched]


def test_student_phases_alternate_boost_and_rotate_offsets() -> None:
    phases = student_schedule(STUDENT, LABELED, UNLABELED)
    assert [phase.source for phase in phases] == ["unlabeled", "labeled"] * STUDENT.sub_epochs
    for soft, hard in zip(phases[::2], phases[1::2], strict=True):
        assert hard.learning_rate == pytest.approx(soft.learning_rate * STUDENT.labeled_boost)
        assert soft.offset == 0
    assert [phase.offset for phase in phases[1::2]] == [index % 3 for index in range(STUDENT.sub_epochs)]
    assert phases[0].learning_rate == pytest.approx(STUDENT.optimiser.learning_rate)
    assert phases[-2].learning_rate == pytest.approx(STUDENT.optimiser.final_learning_rate)
    assert sum(phase.count for phase in phases[::2]) == round(STUDENT.unlabeled_passes * 29)
    assert [phase.whole for phase in phases] == [False] * (2 * STUDENT.sub_epochs - 2) + [True] * 2
    assert [phase.ends_sub_epoch for phase in phases] == [False, True] * STUDENT.sub_epochs


def test_segregated_is_all_unlabeled_then_all_labeled_each_at_the_rate_of_its_sub_epoch() -> None:
    phases = student_schedule(student_of("segregated"), LABELED, UNLABELED)
    count = STUDENT.sub_epochs
    assert [phase.source for phase in phases] == ["unlabeled"] * count + ["labeled"] * count
    assert [phase.whole for phase in phases] == ([False] * (count - 1) + [True]) * 2
    assert all(phase.ends_sub_epoch for phase in phases)
    for soft, hard in zip(phases[:count], phases[count:], strict=True):
        assert hard.learning_rate == pytest.approx(soft.learning_rate * STUDENT.labeled_boost)


def test_blocks_lay_a_proportional_share_of_the_labeled_pass_behind_every_stretch() -> None:
    student = student_of("blocks", sub_epochs=2, whole_sub_epochs=1, unlabeled_passes=2, segment_slabs=4)
    phases = student_schedule(student, LABELED, UNLABELED)
    assert [phase.source for phase in phases] == ["unlabeled", "labeled"] * 16
    assert [phase.count for phase in phases[:16:2]] == [4] * 7 + [1]  # 29 slabs a sub-epoch
    shares = [phase.count for phase in phases[1:16:2]]
    assert sum(shares) == 13
    assert set(shares[:7]) == {1, 2}
    assert [phase.offset for phase in phases] == [0] * 16 + [0, 1] * 8
    assert [phase.whole for phase in phases] == [False] * 16 + [True] * 16
    assert [index for index, phase in enumerate(phases) if phase.ends_sub_epoch] == [15, 31]


@pytest.mark.parametrize("seed", range(30))
def test_labeled_slabs_are_never_a_whole_slab_behind_their_share_and_never_ahead(seed: int) -> None:
    student, labeled, unlabeled = random_student(random.Random(seed), "blocks")
    total, size = round(student.unlabeled_passes * len(unlabeled)), len(labeled)
    sub_epoch, soft, hard = 0, 0, 0
    for pair in in_pairs(student_schedule(student, labeled, unlabeled)):
        soft += sum(phase.count for phase in pair if phase.source == "unlabeled")
        hard += sum(phase.count for phase in pair if phase.source == "labeled")
        first, last = (total * step // student.sub_epochs for step in (sub_epoch, sub_epoch + 1))
        share = (soft - first) / (last - first) if last > first else 1
        assert 0 <= sub_epoch * size + share * size - hard < 1
        sub_epoch += pair[-1].ends_sub_epoch
    assert sub_epoch == student.sub_epochs


def in_pairs(phases: list[Phase]) -> list[list[Phase]]:
    """Every stretch with its labeled share, which may be missing."""
    pairs: list[list[Phase]] = []
    for phase in phases:
        if phase.source == "unlabeled" or not pairs or pairs[-1][-1].source == "labeled":
            pairs.append([])
        pairs[-1].append(phase)
    return pairs


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("share", [1.0, 0.5, 0.07])
@pytest.mark.parametrize("seed", range(10))
def test_baseline_matches_the_students_frames_rates_and_phases(seed: int, share: float, order: str) -> None:
    student, labeled, unlabeled = random_student(random.Random(seed), order)
    phases = student_schedule(student, labeled, unlabeled)
    baseline = baseline_schedule(phases, labeled, unlabeled, share)
    assert {phase.source for phase in baseline} == {"labeled"}
    assert stretch_of(baseline, "labeled") == list(range(sum(phase.count for phase in baseline)))
    heard = sum(phase.count * (1000 if phase.source == "labeled" else 900 * share) for phase in phases)
    assert abs(sum(phase.count * 1000 for phase in baseline) - heard) <= 501
    trained = Counter[tuple[float, bool]]()
    for phase in phases:
        trained[phase.learning_rate, phase.whole] += phase.count * (
            1000 if phase.source == "labeled" else 900 * share
        )
    for phase in baseline:
        trained[phase.learning_rate, phase.whole] -= phase.count * 1000
    assert all(abs(frames) <= 1001 for frames in trained.values()), "as many frames at every rate, to a slab"


def test_baseline_has_the_students_phases_one_for_one() -> None:
    student = student_schedule(STUDENT, LABELED, UNLABELED)
    baseline = baseline_schedule(student, LABELED, UNLABELED)
    for of_student, mine in zip(student, baseline, strict=True):
        assert (mine.learning_rate, mine.whole, mine.ends_sub_epoch) == (
            of_student.learning_rate,
            of_student.whole,
            of_student.ends_sub_epoch,
        )


def test_teacher_ends_on_whole_utterances_at_the_final_rate() -> None:
    teacher = load_recipe("demo").teacher
    phases = teacher_schedule(teacher, LABELED)
    assert len(phases) == teacher.labeled_passes + teacher.whole_passes
    assert phases[-1].learning_rate == pytest.approx(teacher.optimiser.final_learning_rate)
    assert [phase.whole for phase in phases].count(True) == teacher.whole_passes
    assert all(phase.ends_sub_epoch for phase in phases)


def test_paper_preset_block_is_about_a_hundred_minibatches() -> None:
    recipe = load_recipe("paper")
    student = recipe.student
    slab_frames = recipe.corpus.slab_minutes * 60 / 0.03
    chunks = student.sync.block_slabs * slab_frames / (student.batching.chunk_frames - student.network.look_ahead)
    assert chunks / student.batching.batch_chunks == pytest.approx(100, rel=0.15)
