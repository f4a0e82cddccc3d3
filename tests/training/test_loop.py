"""The loop on real speech: it learns, a resumed run equals an unbroken one bit for bit, and BMUF(1) is SGD."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.recipe import Optimiser, Recipe, Sync
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.checkpoint import load_checkpoint, save_checkpoint
from ssl_asr.training.examples import SlabReader
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.loop import BlockRecord, Loop, Worker
from ssl_asr.training.schedule import Cursor, Phase, source_of


@pytest.fixture(scope="module")
def job(aligned_run: Recipe) -> TrainingJob:
    torch.set_num_threads(1)
    senones = load_senones(aligned_run.run)
    labeled = source_of("labeled", ShardStore(aligned_run.run, features.STORE).entries("labeled"), 1)
    phases = (
        Phase("labeled", 0, 5, 3e-3, 0, False),
        Phase("labeled", 5, 3, 2e-3, 1, False),
        Phase("labeled", 8, 3, 1e-3, 2, True),
    )
    mean, deviation = global_statistics(aligned_run.run)
    return TrainingJob(
        run=aligned_run.run,
        name="test",
        key="test",
        spec=ModelSpec(aligned_run.frontend.mel_bins * STACK, senones.size, 2, 24, False, 3, 0.2),
        optimiser=Optimiser(frequency_masks=1, time_masks=1),
        sync=Sync(block_slabs=1),
        seed=1,
        schedule=phases,
        sources=(labeled,),
        dev=None,
        reader=SlabReader(aligned_run.run, aligned_run.frontend.mel_bins, senones.id),
        mean=mean,
        deviation=deviation,
    )


def train(loop: Loop, save_at: int = 0, uri: str = "") -> list[BlockRecord]:
    records: list[BlockRecord] = []

    def on_block(record: BlockRecord, behind: Cursor) -> None:
        records.append(replace(record, seconds=0.0))
        if record.block == save_at:
            save_checkpoint(uri, loop, behind, [asdict(kept) for kept in records])

    loop.run(on_block)
    return records


SETTINGS = {
    "bmuf, adam": (Sync(block_slabs=1), Optimiser()),
    "bmuf, reset": (Sync(block_slabs=1, optimiser_state="reset", variant="classical"), Optimiser()),
    "bmuf with momentum": (Sync(block_slabs=1, eta=0.5), Optimiser(name="sgd", learning_rate=0.05)),
    "dense, adam": (Sync(block_slabs=1, strategy="dense"), Optimiser()),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("save_at", [3, 5])
def test_resumed_equals_unbroken_bit_for_bit(job: TrainingJob, tmp_path: Path, setting: str, save_at: int) -> None:
    sync, optimiser = SETTINGS[setting]
    job = replace(job, sync=sync, optimiser=optimiser)
    uri = str(tmp_path / "checkpoint.safetensors")
    unbroken = build_loop(job, Worker())
    records = train(unbroken, save_at, uri)
    resumed = build_loop(job, Worker())
    curve = load_checkpoint(uri, resumed)
    assert [kept["block"] for kept in curve] == list(range(1, save_at + 1))
    assert train(resumed) == records[save_at:]
    assert torch.equal(resumed.strategy.global_model(), unbroken.strategy.global_model())


def test_learns_real_speech(job: TrainingJob) -> None:
    loop = build_loop(replace(job, schedule=job.schedule * 3), Worker())
    source = job.sources[0]
    before, _ = loop.evaluate(source)
    records = train(loop)
    after, accuracy = loop.evaluate(source)
    assert after < before - 0.5
    assert accuracy > 2 / job.spec.outputs
    assert [record.block for record in records] == list(range(1, 34))
    assert sum(record.frames for record in records[:5]) > 1000


def test_one_bmuf_worker_without_momentum_equals_dense(job: TrainingJob) -> None:
    models = []
    for strategy in ("bmuf", "dense"):
        loop = build_loop(replace(job, sync=Sync(block_slabs=2, strategy=strategy)), Worker())
        train(loop)
        models.append(loop.strategy.global_model())
    torch.testing.assert_close(models[0], models[1], rtol=1e-5, atol=1e-6)


def test_model_that_never_is_finite_stops_the_run_with_a_sentence(job: TrainingJob) -> None:
    job = replace(job, mean=np.full_like(job.mean, np.nan))
    with pytest.raises(ValueError, match=r"not finite .* lower optimiser.learning_rate"):
        train(build_loop(job, Worker()))
