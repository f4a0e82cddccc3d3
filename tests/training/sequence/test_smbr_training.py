"""Sequence training on made-up speech: it goes on from a model, resumes bit for bit, and keeps posterior counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.models.model_files import POSTERIOR_COUNTS, load_model, save_model
from ssl_asr.recipe import Augmentation, CrossEntropySection, LstmNetwork, SmbrSection
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.training.job import TrainingJob, build_model
from ssl_asr.training.schedule import LABELED, Phase
from ssl_asr.training.simulated import train_simulated
from tests.training.synthetic import SENONES, labeled_synthetic_job
from tests.training.test_loop import resumed_equals_unbroken
from tests.training.with_lattices import WithLattices


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    """Two epochs of seven slabs, from a model of the run; some utterances have no lattice."""
    run = str(tmp_path / "run")
    trained = labeled_synthetic_job()
    torch.manual_seed(3)
    save_model(model_uri(run, "teacher"), build_model(trained), {})
    return replace(
        trained,
        run=run,
        name="teacher-smbr",
        schedule=tuple(Phase("labeled", 7 * epoch, 7, 1e-3, 0, True) for epoch in range(2)),
        augmentation=Augmentation(),
        objectives={LABELED: SmbrSection(kappa=0.5), "dev": CrossEntropySection()},
        dev_objective="dev",
        reader=WithLattices(every=4),
        start="teacher",
        counts_posteriors=True,
    )


@pytest.mark.parametrize("setting", ["gtc, adam", "gtc, sgd", "dense, adam"])
@pytest.mark.parametrize(("workers", "save_at"), [(1, 3), (1, 7), (2, 2), (2, 5)])
def test_resumed_equals_unbroken_bit_for_bit(
    job: TrainingJob, tmp_path: Path, setting: str, workers: int, save_at: int
) -> None:
    """In the middle of an epoch, and at its end."""
    resumed_equals_unbroken(job, tmp_path, setting, workers, save_at)


def test_it_begins_with_the_model_that_it_names(job: TrainingJob) -> None:
    start, _ = load_model(model_uri(job.run, "teacher"))
    begun = build_model(job)
    assert all(torch.equal(begun.state_dict()[name], value) for name, value in start.state_dict().items())
    wider = replace(job, spec=replace(job.spec, network=LstmNetwork(layers=2, units=17, look_ahead=2)))
    with pytest.raises(ValueError, match="another network than the recipe's"):
        build_model(wider)


def test_the_finished_model_says_how_many_frames_it_gives_to_each_senone(job: TrainingJob) -> None:
    train_simulated(job, 2)
    model, about = load_model(model_uri(job.run, job.name))
    examples = [example for ref in job.sources[0] for example in job.reader.read("labeled", ref, 0)]
    logits = model.logits([torch.from_numpy(each.frames.astype(np.float32)) for each in examples])
    counts = sum(row.softmax(1).sum(0) for row in logits).numpy()
    assert len(about[POSTERIOR_COUNTS]) == SENONES
    np.testing.assert_allclose(about[POSTERIOR_COUNTS], counts, rtol=1e-3, atol=1e-2)
    assert sum(about[POSTERIOR_COUNTS]) == pytest.approx(sum(len(each.frames) for each in examples), abs=0.1)


def test_the_curve_tells_expected_accuracy_and_it_rises(job: TrainingJob) -> None:
    schedule = tuple(Phase("labeled", 7 * epoch, 7, 5e-3, 0, True) for epoch in range(5))
    train_simulated(replace(job, schedule=schedule), 1)
    blocks = [record for record in read_curve(job.run, job.name) if "loss" in record]
    epochs = np.array([record["expected_accuracy"] for record in blocks]).reshape(5, 7).mean(1)
    assert epochs[-1] > epochs[0] + 0.05
    assert all(record["lost_frames"] == 0 for record in blocks)
