from dataclasses import replace

import pytest

from ssl_asr.recipe import SequenceTraining, SmbrSection
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.phases import sequence_schedule, shortened
from ssl_asr.training.schedule import LABELED, Phase
from ssl_asr.training.sequence.jobs import first_epoch, fold_jobs, makers_of, other_epochs, smbr_job
from tests.training.synthetic import synthetic_job
from tests.training.walked import source

SETTINGS = SequenceTraining(epochs=3, smoothing="kl", smoothing_weight=0.3)
TRAINED = replace(
    synthetic_job("/run"),
    name="student",
    sources=(source("labeled", 13), source("unlabeled", 29)),
    reader=SlabReader("/run", 64, "senones", "targets", None, True),
)


def test_epochs_are_whole_passes_at_falling_rates_and_offset_zero():
    labeled = source("labeled", 13)
    phases = sequence_schedule(SETTINGS, labeled, range(3))
    assert [(phase.first, phase.count, phase.offset, phase.whole) for phase in phases] == [
        (0, 13, 0, True),
        (13, 13, 0, True),
        (26, 13, 0, True),
    ]
    assert phases[0].learning_rate == SETTINGS.optimiser.learning_rate
    assert phases[2].learning_rate == pytest.approx(SETTINGS.optimiser.final_learning_rate)


def test_the_first_epoch_and_the_others_are_the_whole_between_them():
    whole = smbr_job(TRAINED, SETTINGS, {"version": "1"}, "lattices/a")
    first, others = first_epoch(whole), other_epochs(whole, "lattices/b")
    assert (*first.schedule, *others.schedule) == whole.schedule
    assert (whole.start, first.start, others.start) == ("student", "student", "student-smbr-first")
    assert (first.name, others.name) == ("student-smbr-first", "student-smbr")
    assert makers_of("student", SETTINGS) == [first.name]
    assert makers_of("student", SETTINGS.model_copy(update={"epochs": 1})) == ["student"]
    assert (first.reader.lattices, others.reader.lattices) == ("lattices/a", "lattices/b")
    assert first.inputs != others.inputs == whole.inputs
    assert (first.counts_posteriors, others.counts_posteriors) == (False, True)
    # Smoothing is towards the model by cross-entropy, after the first epoch too.
    for job in (first, others):
        objective = job.objectives[LABELED]
        assert isinstance(objective, SmbrSection)
        assert objective.start == "/run/models/student.safetensors"
        assert [each.name for each in job.sources] == ["labeled"]
        assert (job.reader.target_set, job.reader.with_text) == (None, False)


def test_every_shard_is_left_out_by_the_model_that_decodes_it_and_by_no_other():
    jobs = fold_jobs(TRAINED, 3, 0.5)
    assert [job.name for job in jobs] == makers_of("student", SequenceTraining(epochs=3, folds=3))
    assert len({job.key for job in (TRAINED, *jobs)}) == 4
    shards = TRAINED.sources[0].shards
    for fold, job in enumerate(jobs):
        labeled, unlabeled = job.sources
        assert shards - labeled.shards == {shard for shard in shards if shard.number % 3 == fold}
        assert unlabeled is TRAINED.sources[1]
        slabs = {
            name: sum(phase.count for phase in job.schedule if phase.source == name)
            for name in ("labeled", "unlabeled")
        }
        before = {name: sum(phase.count for phase in TRAINED.schedule if phase.source == name) for name in slabs}
        assert slabs["labeled"] == pytest.approx(before["labeled"] * 0.5 * len(labeled) / 13, abs=0.5)
        assert slabs["unlabeled"] == pytest.approx(before["unlabeled"] * 0.5, abs=0.5)
        assert job.dev is None


def test_folds_without_speech_are_refused():
    with pytest.raises(ValueError, match=r"too few labeled shards for sequence\.folds=2"):
        fold_jobs(replace(TRAINED, sources=(source("labeled", 3), source("unlabeled", 29))), 2, 0.5)


def test_a_shortened_schedule_keeps_its_rates_and_takes_every_slab_in_turn():
    phases = [Phase("labeled", 7 * index, 7, 1 / (1 + index), index % 3, index > 2) for index in range(6)]
    found = shortened(phases, {"labeled": 0.3})
    assert sum(phase.count for phase in found) == round(42 * 0.3)
    assert [phase.first for phase in found] == [
        sum(each.count for each in found[:place]) for place in range(len(found))
    ]
    kept = {(phase.learning_rate, phase.offset, phase.whole) for phase in phases}
    assert {(phase.learning_rate, phase.offset, phase.whole) for phase in found} <= kept
    assert all(phase.count in (2, 3) for phase in found)
    assert shortened(phases, {"labeled": 1.0}) == phases
