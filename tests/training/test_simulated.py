"""A whole training by simulated workers: cut off, resized and audited as one on a cluster."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import Cluster, Optimiser, Recipe, Sync
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import read_accounts, write_schedule
from ssl_asr.training.checkpoints.snapshot import SHARED
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.stage import fit_job
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate
from ssl_asr.training.sync.strategy import MEGABYTES_SENT
from ssl_asr.training.train import checkpoints_of, train
from ssl_asr.verifying.slab_audit import audit
from tests.training.cut_off import CutOff, Ends, train_until
from tests.training.jobs import labeled_job
from tests.training.synthetic import labeled_synthetic_job

SGD = Optimiser(name="sgd", learning_rate=0.05)
STRATEGIES = {
    "bmuf": Sync(block_slabs=1),
    "gtc": Sync(block_slabs=1, strategy="gtc", gtc_dense_steps=4, gtc_share=0.01),
    "dense": Sync(block_slabs=1, strategy="dense"),
}


def kept_in(folder: Path, made: TrainingJob) -> TrainingJob:
    """Three phases of 5, 3 and 3 slabs, kept away from the run that other tests share."""
    kept = replace(made, run=str(folder), optimiser=SGD)
    write_schedule(kept.run, kept.name, kept.key, kept.schedule, {"labeled": len(kept.sources[0])})
    return kept


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return kept_in(tmp_path, labeled_synthetic_job())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_on_real_speech_too(aligned_run: Recipe, tmp_path: Path, strategy: str) -> None:
    test_one_then_three_then_two_workers_train_on_every_slab_once(
        kept_in(tmp_path, labeled_job(aligned_run)), strategy
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_then_three_then_two_workers_train_on_every_slab_once(job: TrainingJob, strategy: str) -> None:
    job = replace(job, sync=STRATEGIES[strategy])
    for workers, after in ((1, 2), (3, 3)):
        train_until(job, workers, after)
    loop = train_simulated(job, 2)
    accounts = list(read_accounts(job.run, job.name, job.key))
    assert [len(account.assignments) for account in accounts[:4]] == [1, 1, 3, 2]
    audited = audit(job.schedule, {"labeled": len(job.sources[0])}, accounts, finished=True)
    assert (audited.slabs, audited.phases, audited.problems) == (11, 3, ())
    assert [record["block"] for record in read_curve(job.run, job.name)] == list(range(1, len(accounts) + 1))
    model, about = load_model(model_uri(job.run, job.name))
    assert about["blocks"] == len(accounts) == loop.block
    assert torch.equal(flat.parameters(model), loop.strategy.global_model())
    # The first worker tidies before the last has written its part.
    assert len(filesystem.list_folders(checkpoints_of(job).root)) in ((2, 3) if strategy == "gtc" else (2,))


def test_residuals_that_wait_are_dealt_to_another_number_of_workers(job: TrainingJob) -> None:
    job = replace(job, sync=STRATEGIES["gtc"])

    def cut_off(group: SimulatedGroup) -> None:
        train(job, Worker(group), Ends(2), lambda: False)

    with pytest.raises(CutOff):
        simulate(3, cut_off)
    newest = checkpoints_of(job).newest()
    assert newest is not None
    parts = [uri for uri in filesystem.list_files(newest) if not uri.endswith(SHARED)]
    assert [uri[-len("worker-0000-of-0003.safetensors") :] for uri in parts] == [
        f"worker-{rank:04d}-of-0003.safetensors" for rank in range(3)
    ]
    train_simulated(job, 2)


def test_going_on_late_asks_the_store_as_often_as_going_on_early(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replace(job, inputs={"test": "long"}, schedule=(replace(job.schedule[0], count=60),))
    write_schedule(job.run, job.name, job.key, job.schedule, {"labeled": len(job.sources[0])})
    asked: list[str] = []
    resolve = filesystem.resolve
    monkeypatch.setattr(filesystem, "resolve", lambda uri: asked.append(uri) or resolve(uri))

    class Counts(Ends):
        def restart(self, curve: list[Record]) -> None:
            super().restart(curve)
            self.asked = len(asked)

    counts = []
    for after in (2, 50):
        for listener in (Ends(after), Counts(after)):
            asked.clear()
            with pytest.raises(CutOff):
                train(job, Worker(), listener, lambda: False)
        assert listener.begun_after == after
        counts.append(listener.asked)
    assert counts[0] == counts[1] > 0


def test_a_notice_is_a_checkpoint_at_the_next_blocks_end(job: TrainingJob) -> None:
    job = replace(job, sync=Sync(block_slabs=1, checkpoint_blocks=100))
    for noticed in (False, True):

        def work(group: SimulatedGroup, noticed: bool = noticed) -> None:
            train(job, Worker(group), Ends(2), lambda: noticed)

        with pytest.raises(CutOff):
            simulate(2, work)
        newest = checkpoints_of(job).newest()
        assert (newest is not None) == noticed


def test_a_recipe_may_ask_for_simulated_workers(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the cluster has: the job of the recipe's key is trained by as many as its sync section says."""
    monkeypatch.setattr("ssl_asr.runtime.cluster.as_task", lambda function: function)
    fit_job(replace(job, sync=Sync(simulated_workers=3, block_slabs=1)), Cluster(train_workers=(1, 1)))
    accounts = list(read_accounts(job.run, job.name, job.key))
    assert {len(account.assignments) for account in accounts} == {3}
    blocks = [record for record in read_curve(job.run, job.name) if "loss" in record]
    assert {record["workers"] for record in blocks} == {3}
    assert all(record[MEGABYTES_SENT] > 0 for record in blocks)
    assert load_model(model_uri(job.run, job.name))[1]["blocks"] == len(accounts)
