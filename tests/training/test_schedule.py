"""The schedule and its cursor: every slab exactly once a phase, whatever stops, kills and resizes happen."""

import itertools
import random
from collections import Counter

import pytest

from ssl_asr.recipe import load_recipe
from ssl_asr.store.ledger import Shard
from ssl_asr.training.schedule import (
    Cursor,
    Phase,
    SlabRef,
    Source,
    baseline_schedule,
    deal,
    next_block,
    student_schedule,
    teacher_schedule,
)


def source(name: str, slabs: int, frames: int = 1000) -> Source:
    return Source(name, tuple(SlabRef(Shard(name, n // 4), n % 4, frames) for n in range(slabs)), seed=5)


LABELED, UNLABELED = source("labeled", 13), source("unlabeled", 29, frames=900)
STUDENT = load_recipe("demo").student


def test_each_pass_is_a_permutation_and_passes_differ() -> None:
    passes = [[UNLABELED.at(sweep * 29 + place) for place in range(29)] for sweep in range(3)]
    for order in passes:
        assert Counter(order) == Counter(UNLABELED.slabs)
    assert passes[0] != passes[1] != passes[2]


@pytest.mark.parametrize("seed", range(10))
def test_every_slab_once_a_phase_for_any_history_of_kills_and_resizes(seed: int) -> None:
    """Blocks are lost (the cursor falls back to a checkpoint) and the number of workers changes at random."""
    chance = random.Random(seed)
    schedule = student_schedule(STUDENT, LABELED, UNLABELED)
    done: list[tuple[int, list[int]]] = []
    cursor, kept = Cursor(), (Cursor(), 0)
    while cursor.phase < len(schedule):
        workers = chance.randint(1, 5)
        positions, behind = next_block(schedule, cursor, workers * 2)
        hands = [position for hand in deal(positions, workers) for position in hand]
        assert sorted(hands) == list(positions)
        if chance.random() < 0.2:
            cursor, blocks = kept
            del done[blocks:]
            continue
        done.append((cursor.phase, hands))
        cursor = behind
        if chance.random() < 0.5:
            kept = (cursor, len(done))
    for index, phase in enumerate(schedule):
        consumed = sorted(position for at, hands in done if at == index for position in hands)
        assert consumed == list(range(phase.first, phase.first + phase.count))


def test_resume_at_a_phase_boundary_neither_skips_nor_repeats() -> None:
    schedule = [Phase("labeled", 0, 4, 0.1, 0, False), Phase("labeled", 4, 4, 0.1, 1, False)]
    positions, behind = next_block(schedule, Cursor(0, 2), 8)
    assert (list(positions), behind) == ([2, 3], Cursor(1, 0))
    positions, behind = next_block(schedule, behind, 8)
    assert (list(positions), behind) == ([4, 5, 6, 7], Cursor(2, 0))


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


def test_baseline_matches_the_students_frames_rates_and_phases() -> None:
    student = student_schedule(STUDENT, LABELED, UNLABELED)
    baseline = baseline_schedule(student, LABELED, UNLABELED)
    assert {phase.source for phase in baseline} == {"labeled"}
    assert [phase.learning_rate for phase in baseline] == [phase.learning_rate for phase in student]
    frames = sum(phase.count * (1000 if phase.source == "labeled" else 900) for phase in student)
    assert sum(phase.count * 1000 for phase in baseline) == pytest.approx(frames, rel=0.03)
    for before, after in itertools.pairwise(baseline):
        assert after.first == before.first + before.count


def test_baseline_of_a_selection_hears_as_few_frames() -> None:
    student = student_schedule(STUDENT, LABELED, UNLABELED)
    half = baseline_schedule(student, LABELED, UNLABELED, selected_share=0.5)
    frames = sum(phase.count * (1000 if phase.source == "labeled" else 450) for phase in student)
    assert sum(phase.count * 1000 for phase in half) == pytest.approx(frames, rel=0.05)


def test_teacher_ends_on_whole_utterances_at_the_final_rate() -> None:
    teacher = load_recipe("demo").teacher
    phases = teacher_schedule(teacher, LABELED)
    assert len(phases) == teacher.labeled_passes + teacher.whole_passes
    assert phases[-1].learning_rate == pytest.approx(teacher.optimiser.final_learning_rate)
    assert [phase.whole for phase in phases].count(True) == teacher.whole_passes


def test_paper_preset_block_is_about_a_hundred_minibatches() -> None:
    recipe = load_recipe("paper")
    student = recipe.student
    slab_frames = recipe.corpus.slab_minutes * 60 / 0.03
    chunks = student.sync.block_slabs * slab_frames / (student.optimiser.chunk_frames - student.look_ahead)
    assert chunks / student.optimiser.batch_chunks == pytest.approx(100, rel=0.15)
