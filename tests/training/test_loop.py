"""The loop on synthetic examples: it learns, a resumed run equals an unbroken one bit for bit, and BMUF(1) is SGD."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.recipe import Optimiser, Sync
from ssl_asr.training.block import BlockRecord, BlockWork
from ssl_asr.training.checkpoints.snapshot import restore, snapshot, write_snapshot
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import SlabRef, SourceName
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.loop import Loop
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate
from tests.training.synthetic import SENONES, Synthetic, synthetic_job


@pytest.fixture
def job() -> TrainingJob:
    return synthetic_job()


def train(loop: Loop, save_at: int = 0, folder: str = "") -> list[BlockRecord]:
    records: list[BlockRecord] = []

    def on_block(record: BlockRecord, redistributed: BlockWork) -> None:
        records.append(replace(record, seconds=0.0))
        if record.block == save_at:
            write_snapshot(folder, snapshot(loop, "", [asdict(kept) for kept in records]))

    loop.run(on_block)
    return records


SGD = Optimiser(name="sgd", learning_rate=0.05)
SETTINGS = {
    "bmuf, adam": (Sync(block_slabs=1), Optimiser()),
    "bmuf, reset": (Sync(block_slabs=1, optimiser_state="reset", variant="classical"), Optimiser()),
    "bmuf with momentum": (Sync(block_slabs=1, eta=0.5), SGD),
    "bmuf-adam": (Sync(block_slabs=1, eta=0.5, optimiser_state="correct"), Optimiser()),
    "literal, bfloat16": (Sync(block_slabs=1, variant="literal", eta=0.3, wire="bfloat16"), SGD),
    "warm start": (Sync(block_slabs=1, eta=0.5, warm_start_hours=0.03), Optimiser()),
    "dense, adam": (Sync(block_slabs=1, strategy="dense"), Optimiser()),
    "gtc, adam": (Sync(block_slabs=1, strategy="gtc", gtc_dense_steps=3), Optimiser()),
    "gtc, sgd": (Sync(block_slabs=1, strategy="gtc", gradients="sum", gtc_share=0.01), SGD),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("workers", "save_at"), [(1, 3), (1, 5), (2, 2)])
def test_resumed_equals_unbroken_bit_for_bit(
    job: TrainingJob, tmp_path: Path, setting: str, workers: int, save_at: int
) -> None:
    resumed_equals_unbroken(job, tmp_path, setting, workers, save_at)


def resumed_equals_unbroken(job: TrainingJob, tmp_path: Path, setting: str, workers: int, save_at: int) -> None:
    """Stopped within a phase, and exactly at its end: 5 slabs are 5 blocks of one worker or 3 of two."""
    sync, optimiser = SETTINGS[setting]
    job = replace(job, sync=sync, optimiser=optimiser)

    def unbroken(group: SimulatedGroup) -> tuple[list[BlockRecord], torch.Tensor]:
        loop = build_loop(job, Worker(group))
        return train(loop, save_at, str(tmp_path))[save_at:], loop.strategy.global_model()

    def resumed(group: SimulatedGroup) -> tuple[list[BlockRecord], torch.Tensor]:
        loop = build_loop(job, Worker(group))
        curve = restore(str(tmp_path), loop)
        assert [kept["block"] for kept in curve] == list(range(1, save_at + 1))
        return train(loop), loop.strategy.global_model()

    whole, again = simulate(workers, unbroken), simulate(workers, resumed)
    for (records, model), (records_again, model_again) in zip(whole, again, strict=True):
        assert records_again == records
        assert torch.equal(model_again, model)
        assert torch.equal(model, whole[0][1])


def test_learns_soft_and_hard_targets(job: TrainingJob) -> None:
    loop = build_loop(replace(job, schedule=job.schedule * 3), Worker())
    labeled, unlabeled = job.sources
    hard, soft = (loop.course.objectives[name] for name in ("labeled", "unlabeled"))
    before = loop.evaluate(labeled, hard), loop.evaluate(unlabeled, soft)
    records = train(loop)
    after = loop.evaluate(labeled, hard), loop.evaluate(unlabeled, soft)
    for worse, better in zip(before, after, strict=True):
        assert better.loss < worse.loss - 0.5
        assert better.figures["frame_accuracy"] > 2 / SENONES
    assert [record.block for record in records] == list(range(1, 43))
    assert all(record.figures.keys() == {"frame_accuracy"} for record in records)


@dataclass(frozen=True)
class _WithCopies(Synthetic):
    """Half of the utterances are degraded copies."""

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        clean = super().read(source, ref, offset)
        return [*clean, *(replace(each, condition="room", frames=each.frames + 9) for each in clean)]


def test_dev_is_evaluated_on_its_clean_speech(job: TrainingJob) -> None:
    def dev_loss(reader: Synthetic) -> float:
        loop = build_loop(replace(job, reader=reader), Worker())
        return loop.evaluate(job.sources[0], loop.course.objectives["labeled"]).loss

    assert dev_loss(_WithCopies()) == dev_loss(Synthetic())


def test_workers_without_a_batch_join_the_others(job: TrainingJob) -> None:
    """Five slabs for three workers: in the second block the third has none."""

    def work(group: SimulatedGroup) -> tuple[list[BlockRecord], torch.Tensor]:
        loop = build_loop(replace(job, sync=SETTINGS["dense, adam"][0]), Worker(group))
        return train(loop), loop.strategy.global_model()

    (records, model), *others = simulate(3, work)
    assert [record.block for record in records] == list(range(1, 6))
    assert all(np.isfinite(record.loss) for record in records)
    assert all(torch.equal(model, other) and records == told for told, other in others)


def test_weights_of_one_are_no_weights_bit_for_bit(job: TrainingJob) -> None:
    """Neither what is learned nor what is told changes; other weights change both, and count no other frames."""

    def trained(weights: tuple[float, ...]) -> tuple[list[BlockRecord], torch.Tensor]:
        loop = build_loop(replace(job, reader=Synthetic(weights=weights)), Worker())
        return train(loop), loop.strategy.global_model()

    (records, model), (same, same_model), (other, other_model) = map(trained, ((1.0,), (1.0, 1.0), (1.0, 0.25)))
    assert records == same
    assert torch.equal(model, same_model)
    assert not torch.equal(model, other_model)
    assert [record.frames for record in other] == [record.frames for record in records]
    assert other[0].loss != records[0].loss


def bmuf_of_one_worker_equals_dense(job: TrainingJob) -> None:
    models = []
    for strategy in ("bmuf", "dense"):
        loop = build_loop(replace(job, sync=Sync(block_slabs=2, strategy=strategy)), Worker())
        train(loop)
        models.append(loop.strategy.global_model())
    torch.testing.assert_close(models[0], models[1], rtol=1e-5, atol=1e-6)


def model_that_is_not_finite_stops_the_run(job: TrainingJob) -> None:
    job = replace(job, mean=np.full_like(job.mean, np.nan))
    with pytest.raises(ValueError, match=r"not finite .* lower optimiser.learning_rate"):
        train(build_loop(job, Worker()))


def test_one_bmuf_worker_without_momentum_equals_dense(job: TrainingJob) -> None:
    bmuf_of_one_worker_equals_dense(job)


def test_model_that_never_is_finite_stops_the_run_with_a_sentence(job: TrainingJob) -> None:
    model_that_is_not_finite_stops_the_run(job)


@pytest.mark.parametrize(("gradients", "norm"), [("mean", 0.01), ("sum", 0.02)])
def test_a_sum_of_two_gradients_is_clipped_where_their_mean_would_be(
    job: TrainingJob, gradients: str, norm: float
) -> None:
    sync = Sync(block_slabs=1, strategy="dense", gradients=gradients)
    job = replace(job, sync=sync, optimiser=SGD.model_copy(update={"clip_norm": 0.01}))

    def work(group: SimulatedGroup) -> list[float]:
        loop = build_loop(job, Worker(group))
        norms: list[float] = []

        def note(*_: object) -> None:
            gradients = [each.grad.norm() for each in loop.model.parameters()]
            norms.append(float(torch.stack(gradients).norm()))

        loop.optimiser.register_step_pre_hook(note)
        train(loop)
        return norms

    assert max(simulate(2, work)[0]) == pytest.approx(norm, rel=1e-3)
