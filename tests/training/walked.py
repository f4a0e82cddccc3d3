"""Sources and students of any proportions, and a training run without the training.

Blocks are dealt as workers assign them, accounts written as they write them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from ssl_asr.recipe import Student, load_recipe
from ssl_asr.training.checkpoints.accounting import Assignment, BlockAccount, drop_after, write_account
from ssl_asr.training.data.sources import Source, SourceName
from ssl_asr.training.schedule import Cursor, Phase, assign, next_block

ORDERS = ("sub-epochs", "blocks", "segregated")


def source(name: SourceName, slabs: int, frames: int = 1000) -> Source:
    numbers = np.arange(slabs)
    table = np.stack([numbers // 4, numbers % 4, np.full(slabs, frames)], axis=1).astype(np.int32)
    return Source(name, name, table, seed=5)


LABELED, UNLABELED = source("labeled", 13), source("unlabeled", 29, frames=900)
STUDENT = load_recipe("demo").student


def student_of(order: str, **values: object) -> Student:
    return Student.model_validate({**STUDENT.model_dump(), "order": order, **values})


def random_student(chance: random.Random, order: str) -> tuple[Student, Source, Source]:
    """A student and its sources, of any proportions: labeled data may be the larger part, sub-epochs may be empty."""
    sub_epochs = chance.randint(1, 9)
    student = student_of(
        order,
        sub_epochs=sub_epochs,
        whole_sub_epochs=chance.randint(0, sub_epochs),
        unlabeled_passes=chance.uniform(0.2, 3),
        segment_slabs=chance.choice([1, 2, 3, 7, 16, 1000]),
    )
    return student, source("labeled", chance.randint(1, 60)), source("unlabeled", chance.randint(1, 300), 900)


def account_of(phases: Sequence[Phase], source: Source, cursor: Cursor, block: int, workers: int) -> BlockAccount:
    """Of the block that begins at `cursor`, two slabs a worker."""
    positions, _ = next_block(phases, cursor, 2 * workers)
    assignments = []
    for rank, mine in enumerate(assign(positions, workers)):
        refs = [source.at(position) for position in mine]
        names = tuple(ref.name for ref in refs)
        assignments.append(Assignment(rank, tuple(mine), names, sum(ref.frames for ref in refs) // 3))
    return BlockAccount(block, cursor.phase, source.name, positions.start, len(positions), tuple(assignments))


def walk(
    run: str, name: str, key: str, phases: Sequence[Phase], sources: Sequence[Source], seed: int, stop_at: int = 0
) -> int:
    """Walk the schedule with random kills and resizes, to the end or to block `stop_at`; returns the last block.

    A kill comes behind a block's account, which is then of a block that no checkpoint knows.
    """
    chance = random.Random(seed)
    by_name = {source.name: source for source in sources}
    block, cursor, kept = 0, Cursor(), (0, Cursor())
    while cursor.phase < len(phases) and block != (stop_at or -1):
        workers = chance.choice([1, 2, 3, 5, 16])
        account = account_of(phases, by_name[phases[cursor.phase].source], cursor, block + 1, workers)
        write_account(run, name, key, account)
        block, (_, cursor) = block + 1, next_block(phases, cursor, 2 * workers)
        if chance.random() < 0.3:
            kept = block, cursor
        if chance.random() < 0.15:
            block, cursor = kept
            drop_after(run, name, key, block)
    return block
