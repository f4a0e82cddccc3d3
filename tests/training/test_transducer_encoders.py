"""The encoders of ConvRNN-T and its baseline are trained as students of senones by the loop that there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import Batching, ConvRnntNetwork, NetworkSection, ProjectedLstmNetwork, load_recipe
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.curve import read_curve
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.sync import flat
from tests.training.synthetic import BINS, SENONES, synthetic_job
from tests.training.test_loop import SETTINGS, resumed_equals_unbroken

SIZES = {"layers": 1, "units": 12, "projection": 8, "look_ahead": 2}
NETWORKS = {
    "projected-lstm": ProjectedLstmNetwork(**SIZES),
    "conv-rnnt": ConvRnntNetwork(**SIZES, width=8, local_channels=(4, 3), local_kernel=3, global_blocks=2),
}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def job_of(network: NetworkSection, run: str = "/nowhere") -> TrainingJob:
    """Chunks of 32 frames, as trainings have by default."""
    job = synthetic_job(run, spec=ModelSpec(network, 3 * BINS, SENONES))
    return replace(job, batching=Batching(batch_chunks=4, chunk_frames=32, batch_frames=120))


@each_network
@pytest.mark.parametrize("setting", ["bmuf, adam", "gtc, adam"])
def test_two_workers_train_it(tmp_path: Path, network: NetworkSection, setting: str) -> None:
    sync, optimiser = SETTINGS[setting]
    job = replace(job_of(network, str(tmp_path)), sync=sync, optimiser=optimiser)
    job = replace(job, schedule=(*job.schedule[:2], *job.schedule))
    write_schedule(job.run, job.name, job.key, job.schedule, {each.name: len(each) for each in job.sources})
    loop = train_simulated(job, 2)
    model, _ = load_model(model_uri(job.run, job.name))
    assert model.spec.network == network
    assert torch.equal(flat.parameters(model), loop.strategy.global_model())
    dev = [record["dev_loss"] for record in read_curve(job.run, job.name) if "dev_loss" in record]
    assert len(dev) > 1
    assert dev[-1] < dev[0]


@each_network
@pytest.mark.parametrize("setting", ["bmuf, adam", "gtc, adam"])
def test_resumed_equals_unbroken_bit_for_bit(tmp_path: Path, network: NetworkSection, setting: str) -> None:
    resumed_equals_unbroken(job_of(network), tmp_path, setting, workers=2, save_at=2)


def test_a_recipe_asks_for_one_by_its_kind() -> None:
    student = load_recipe("demo", ["student.network.kind=conv-rnnt", "student.network.local_channels=[8, 4]"]).student
    assert isinstance(student.network, ConvRnntNetwork)
    assert student.network.local_channels == (8, 4)
    with pytest.raises(
        ValueError, match=r"local_kernel=4: this kernel needs a middle; use an odd size, as 3, 5 or 7"
    ):
        load_recipe("demo", ["student.network.kind=conv-rnnt", "student.network.local_kernel=4"])
