"""The cursor: every slab exactly once a phase, whatever stops, kills and resizes happen."""

import itertools
import random

import pytest

from ssl_asr.training.phases import student_schedule
from ssl_asr.training.schedule import Cursor, assign, next_block
from tests.training.walked import LABELED, ORDERS, UNLABELED, random_student, source, student_of


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(8))
def test_every_slab_once_a_phase_for_any_history_of_kills_and_resizes(seed: int, order: str) -> None:
    """Blocks are lost (the cursor falls back to a checkpoint) and the number of workers changes at random."""
    chance = random.Random(seed)
    schedule = student_schedule(*random_student(chance, order))
    done: list[tuple[int, list[int]]] = []
    cursor, kept = Cursor(), (Cursor(), 0)
    slabs_each = chance.randint(1, 3)
    while cursor.phase < len(schedule):
        workers = chance.choice([1, 2, 3, 5, 16, 64])
        positions, behind = next_block(schedule, cursor, workers * slabs_each)
        assignments = [position for hand in assign(positions, workers) for position in hand]
        assert sorted(assignments) == list(positions)
        if chance.random() < 0.2:
            cursor, blocks = kept
            del done[blocks:]
            continue
        done.append((cursor.phase, assignments))
        cursor = behind
        if chance.random() < 0.5:
            kept = (cursor, len(done))
    assert cursor == Cursor(len(schedule), 0)
    for index, phase in enumerate(schedule):
        consumed = sorted(position for at, assignments in done if at == index for position in assignments)
        assert consumed == list(range(phase.first, phase.first + phase.count))


@pytest.mark.parametrize("order", ORDERS)
def test_resume_at_every_boundary_neither_skips_nor_repeats(order: str) -> None:
    """Whatever worked before and after: a boundary is one cursor, (phase, 0), and the next block begins behind it."""
    schedule = student_schedule(student_of(order, segment_slabs=3), LABELED, UNLABELED)
    for index, (before, after) in enumerate(itertools.pairwise(schedule)):
        positions, behind = next_block(schedule, Cursor(index, before.count - 1), 8)
        assert (list(positions), behind) == ([before.first + before.count - 1], Cursor(index + 1, 0))
        for slabs in (1, 64, 10_000):
            positions, _ = next_block(schedule, behind, slabs)
            assert positions == range(after.first, after.first + min(slabs, after.count))


def test_every_fourth_block_is_labeled_for_any_number_of_workers_that_fills_the_stretches() -> None:
    """Blocks of 2 to 16 slabs; three unlabeled slabs to a labeled one, and stretches of 48."""
    student = student_of("blocks", sub_epochs=1, whole_sub_epochs=0, unlabeled_passes=1, segment_slabs=48)
    schedule = student_schedule(student, source("labeled", 64), source("unlabeled", 192))
    for workers in (1, 2, 4, 8):
        cursor, kinds = Cursor(), []
        while cursor.phase < len(schedule):
            kinds.append(schedule[cursor.phase].source[0])
            _, cursor = next_block(schedule, cursor, 2 * workers)
        blocks = 8 // workers
        assert "".join(kinds) == ("u" * 3 * blocks + "l" * blocks) * 4
