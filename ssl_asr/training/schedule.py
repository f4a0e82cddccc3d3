"""Scheduled learning: which slabs, at which learning rate, in which order; and the cursor that walks it.

A source (labeled or unlabeled audio) is an endless stream of slabs, pass after pass, each pass a permutation drawn
from (seed, source, pass). A phase is a stretch of one source's stream. The cursor is a pair of integers, phase and
slabs consumed in it: it knows nothing of workers, so any number of them can go on from it, and every slab is
consumed exactly once a phase for any history of kills and resizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ssl_asr.recipe import Student, Teacher
from ssl_asr.store.ledger import LedgerEntry, Shard

SourceName = Literal["labeled", "unlabeled"]
OFFSETS = 3


@dataclass(frozen=True)
class SlabRef:
    """One row group of a features shard; `frames` are 10 ms frames."""

    shard: Shard
    slab: int
    frames: int

    @property
    def name(self) -> str:
        """As accounts name it: "unlabeled/000003:4"."""
        return f"{self.shard.name}:{self.slab}"


@dataclass(frozen=True)
class Source:
    name: SourceName
    slabs: tuple[SlabRef, ...]
    seed: int

    @property
    def frames(self) -> int:
        return sum(slab.frames for slab in self.slabs)

    def at(self, position: int) -> SlabRef:
        """The slab at `position` of the endless stream."""
        sweep, place = divmod(position, len(self.slabs))
        return self.slabs[_permutation(self.name, len(self.slabs), self.seed, sweep)[place]]


@lru_cache(maxsize=8)
def _permutation(name: str, size: int, seed: int, sweep: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed_of(seed, name, sweep)).permutation(size)


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed that depends on all parts and on nothing else."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def source_of(name: SourceName, entries: Iterable[LedgerEntry], seed: int) -> Source:
    """All slabs of a split's finished feature shards."""
    slabs = (SlabRef(entry.shard, slab, frames) for entry in entries for slab, frames in enumerate(entry.slabs))
    return Source(name, tuple(slabs), seed)


@dataclass(frozen=True)
class Phase:
    """Slabs `first` to `first + count` of the source's stream.

    `offset` is the 30 ms feature offset (0, 1, 2); `whole` trains on whole utterances instead of chunks. Where a
    phase `ends_sub_epoch`, the model behind it is looked at on dev data.
    """

    source: SourceName
    first: int
    count: int
    learning_rate: float
    offset: int
    whole: bool
    ends_sub_epoch: bool = True


@dataclass(frozen=True)
class Cursor:
    """`slabs` of phase `phase` are consumed, and all of the phases before it."""

    phase: int = 0
    slabs: int = 0


def next_block(schedule: Sequence[Phase], cursor: Cursor, slabs: int) -> tuple[range, Cursor]:
    """Stream positions of the next block of at most `slabs` slabs, and the cursor behind it.

    A block never crosses a phase; the last block of a phase may be short.
    """
    phase = schedule[cursor.phase]
    taken = min(slabs, phase.count - cursor.slabs)
    begin = phase.first + cursor.slabs
    behind = Cursor(cursor.phase, cursor.slabs + taken)
    if behind.slabs == phase.count:
        behind = Cursor(cursor.phase + 1, 0)
    return range(begin, begin + taken), behind


def deal(positions: range, workers: int) -> list[range]:
    """A block's positions dealt round; with fewer slabs than workers, some hands are empty."""
    return [positions[worker::workers] for worker in range(workers)]


def teacher_schedule(teacher: Teacher, labeled: Source) -> list[Phase]:
    """Passes over the labeled data: on chunks, then on whole utterances, at an exponentially falling rate."""
    passes = teacher.labeled_passes + teacher.whole_passes
    rates = _decay(teacher.optimiser.learning_rate, teacher.optimiser.final_learning_rate, passes)
    size = len(labeled.slabs)
    return [
        Phase("labeled", index * size, size, rate, index % OFFSETS, index >= teacher.labeled_passes)
        for index, rate in enumerate(rates)
    ]


def student_schedule(student: Student, labeled: Source, unlabeled: Source) -> list[Phase]:
    """Unlabeled sub-epochs, and for each a labeled pass at a boosted rate and the next feature offset.

    The last sub-epochs are on whole utterances (Parthasarathi et al. 2019, scheduled learning). `student.order` says
    where a labeled pass stands: behind its sub-epoch, all through it, or, as the ablation of scheduled learning,
    behind all sub-epochs. It moves slabs and changes nothing else: a labeled pass always has the rate of its own
    sub-epoch times the boost, so segregated learning begins its labeled passes at a high rate once more.
    """
    rates = _decay(student.optimiser.learning_rate, student.optimiser.final_learning_rate, student.sub_epochs)
    total, size = round(student.unlabeled_passes * len(unlabeled.slabs)), len(labeled.slabs)
    sub_epochs: list[tuple[Phase, ...]] = []
    for index, rate in enumerate(rates):
        first, last = (total * step // student.sub_epochs for step in (index, index + 1))
        whole = index >= student.sub_epochs - student.whole_sub_epochs
        soft = Phase("unlabeled", first, last - first, rate, 0, whole, student.order == "segregated")
        hard = Phase("labeled", index * size, size, rate * student.labeled_boost, index % OFFSETS, whole)
        sub_epochs.append((soft, hard))
    if student.order == "segregated":
        sub_epochs = list(zip(*sub_epochs, strict=True))
    if student.order == "blocks":
        sub_epochs = [_interleaved(soft, hard, student.stretch_slabs) for soft, hard in sub_epochs]
    return [phase for phases in sub_epochs for phase in phases if phase.count]


def _interleaved(soft: Phase, hard: Phase, stretch: int) -> tuple[Phase, ...]:
    """Stretches of the unlabeled phase, each followed by its share of the labeled one.

    Cuts depend on slabs alone, never on workers. Shares differ by one slab at most where stretches are equal, and an
    empty one is left out; only the last ends the sub-epoch.
    """
    phases = []
    for begin in range(0, soft.count, stretch):
        end = min(begin + stretch, soft.count)
        phases.append(_part(soft, begin, end))
        phases.append(_part(hard, hard.count * begin // soft.count, hard.count * end // soft.count))
    return tuple(phases) or (hard,)


def _part(phase: Phase, begin: int, end: int) -> Phase:
    ends = phase.ends_sub_epoch and end == phase.count
    return replace(phase, first=phase.first + begin, count=end - begin, ends_sub_epoch=ends)


def baseline_schedule(
    student_phases: Sequence[Phase], labeled: Source, unlabeled: Source, selected_share: float = 1.0
) -> list[Phase]:
    """The student's schedule with every unlabeled phase replaced by as many frames of labeled data.

    Same frames (within half a slab at the end of every phase), rates and regularisation: what is left between student
    and baseline is the audio. `selected_share` is that of the unlabeled frames which the student is trained on.
    """
    heard = selected_share * unlabeled.frames / len(unlabeled.slabs)
    per_slab = heard / (labeled.frames / len(labeled.slabs))
    phases: list[Phase] = []
    consumed, owed = 0, 0.0  # slabs; what rounding leaves over goes to the next phase, as stretches may be short
    for index, phase in enumerate(student_phases):
        count = phase.count
        if phase.source == "unlabeled":
            owed += phase.count * per_slab
            count = round(owed)
            owed -= count
        phases.append(replace(phase, source="labeled", first=consumed, count=count, offset=index % OFFSETS))
        consumed += count
    return [phase for phase in phases if phase.count]


def _decay(first: float, last: float, steps: int) -> list[float]:
    return [first * (last / first) ** (step / max(steps - 1, 1)) for step in range(steps)]
