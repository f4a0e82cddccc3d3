"""Which phases each kind of model is trained in: the schedules of teacher, student, baseline, topline and sMBR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ssl_asr.recipe import SequenceTraining, Student, Teacher
from ssl_asr.training.data.sources import Source, SourceName
from ssl_asr.training.schedule import LABELED, UNLABELED, Phase

OFFSETS = 3  # 30 ms feature offsets


def teacher_schedule(teacher: Teacher, labeled: Source) -> list[Phase]:
    """Passes over the labeled data: on chunks, then on whole utterances, at an exponentially falling rate."""
    passes = teacher.labeled_passes + teacher.whole_passes
    rates = decay(teacher.optimiser.learning_rate, teacher.optimiser.final_learning_rate, passes)
    size = len(labeled)
    return [
        Phase("labeled", index * size, size, rate, index % OFFSETS, index >= teacher.labeled_passes)
        for index, rate in enumerate(rates)
    ]


def student_schedule(student: Student, labeled: Source, unlabeled: Source) -> list[Phase]:
    """Unlabeled sub-epochs, and for each a labeled pass at a boosted rate and the next feature offset.

    The last sub-epochs are on whole utterances (Parthasarathi et al. 2019, scheduled learning). `student.order` says
    where a labeled pass comes: after its sub-epoch, interleaved with it, or after all sub-epochs (the ablation of
    scheduled learning). It changes only the order: a labeled pass always has the rate of its own sub-epoch times the
    boost. So segregated learning starts its labeled passes at a high rate again.
    """
    rates = decay(student.optimiser.learning_rate, student.optimiser.final_learning_rate, student.sub_epochs)
    total, size = round(student.unlabeled_passes * len(unlabeled)), len(labeled)
    sub_epochs: list[tuple[Phase, ...]] = []
    for index, rate in enumerate(rates):
        first, last = (total * step // student.sub_epochs for step in (index, index + 1))
        whole = index >= student.sub_epochs - student.whole_sub_epochs
        soft = Phase("unlabeled", first, last - first, rate, 0, whole, student.order == "segregated", UNLABELED)
        hard = Phase("labeled", index * size, size, rate * student.labeled_boost, index % OFFSETS, whole)
        sub_epochs.append((soft, hard))
    if student.order == "segregated":
        sub_epochs = list(zip(*sub_epochs, strict=True))
    if student.order == "blocks":
        sub_epochs = [interleaved(soft, hard, student.segment_slabs) for soft, hard in sub_epochs]
    return [phase for phases in sub_epochs for phase in phases if phase.count]


def interleaved(soft: Phase, hard: Phase, segment: int) -> tuple[Phase, ...]:
    """Segments of the unlabeled phase, each followed by its share of the labeled phase.

    The cuts depend only on slabs, never on workers. With equal segments, shares differ by at most one slab. The
    caller leaves out empty ones. Only the last segment ends the sub-epoch.
    """
    phases = []
    for begin in range(0, soft.count, segment):
        end = min(begin + segment, soft.count)
        phases.append(_part(soft, begin, end))
        phases.append(_part(hard, hard.count * begin // soft.count, hard.count * end // soft.count))
    return tuple(phases) or (hard,)


def _part(phase: Phase, begin: int, end: int) -> Phase:
    ends = phase.ends_sub_epoch and end == phase.count
    return replace(phase, first=phase.first + begin, count=end - begin, ends_sub_epoch=ends)


def baseline_schedule(
    student_phases: Sequence[Phase], labeled: Source, unlabeled: Source, selected_share: float = 1.0
) -> list[Phase]:
    """The student's schedule with every unlabeled phase replaced by the same number of frames of labeled data.

    Frames (within half a slab at the end of every phase), rates and regularisation are equal, so student and baseline
    differ only in the audio. `selected_share` is the share of the unlabeled frames that the student is trained on.
    """
    slab_frames = selected_share * unlabeled.frames / len(unlabeled)
    per_slab = slab_frames / (labeled.frames / len(labeled))
    phases: list[Phase] = []
    consumed, owed = 0, 0.0  # slabs; the rest from rounding goes to the next phase, because segments may be short
    for index, phase in enumerate(student_phases):
        count = phase.count
        if phase.source == "unlabeled":
            owed += phase.count * per_slab
            count = round(owed)
            owed -= count
        phases.append(
            replace(phase, source="labeled", objective=LABELED, first=consumed, count=count, offset=index % OFFSETS)
        )
        consumed += count
    return [phase for phase in phases if phase.count]


def shorter_schedule(baseline_phases: Sequence[Phase], share: float) -> list[Phase]:
    """This share of the slabs of every phase, at its rate: as many rates are passed through in less time."""
    phases: list[Phase] = []
    consumed, owed = 0, 0.0  # slabs
    for phase in baseline_phases:
        owed += phase.count * share
        count = round(owed)
        owed -= count
        phases.append(replace(phase, first=consumed, count=count))
        consumed += count
    return [phase for phase in phases if phase.count]


def topline_schedule(student_phases: Sequence[Phase], selected_share: float = 1.0) -> list[Phase]:
    """The student's schedule with labels in place of the teacher's targets, at every feature offset in turn.

    Where the student is trained on `selected_share` of the frames of its unlabeled slabs, this is on all frames of
    that share of the slabs.
    """
    phases: list[Phase] = []
    consumed, owed = 0, 0.0  # unlabeled slabs
    for index, phase in enumerate(student_phases):
        if phase.source == "unlabeled":
            owed += phase.count * selected_share
            count = round(owed)
            owed -= count
            phase = replace(phase, objective=LABELED, first=consumed, count=count, offset=index % OFFSETS)
            consumed += count
        phases.append(phase)
    return [phase for phase in phases if phase.count]


def sequence_schedule(settings: SequenceTraining, labeled: Source, epochs: range) -> list[Phase]:
    """These of the settings' epochs: passes over the labeled data on whole utterances, at feature offset 0."""
    optimiser = settings.optimiser
    rates = decay(optimiser.learning_rate, optimiser.final_learning_rate, settings.epochs)
    return [Phase("labeled", epoch * len(labeled), len(labeled), rates[epoch], 0, True) for epoch in epochs]


def shortened(phases: Sequence[Phase], shares: Mapping[SourceName, float]) -> list[Phase]:
    """The same phases, each with this share of the slabs of its source, within half a slab at the end of each."""
    found: list[Phase] = []
    consumed, owed = dict.fromkeys(shares, 0), dict.fromkeys(shares, 0.0)
    for phase in phases:
        owed[phase.source] += phase.count * shares[phase.source]
        count = round(owed[phase.source])
        owed[phase.source] -= count
        found.append(replace(phase, first=consumed[phase.source], count=count))
        consumed[phase.source] += count
    return [phase for phase in found if phase.count]


def decay(first: float, last: float, steps: int) -> list[float]:
    """Learning rates that fall exponentially from `first` to `last`."""
    return [first * (last / first) ** (step / max(steps - 1, 1)) for step in range(steps)]
