"""An encoder's own loss and what changes with the training's progress, by the Transformer whose gates are learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.models.model_files import load_model
from ssl_asr.models.transformer.encoder import COMPUTE_SHARE, Transformer
from ssl_asr.recipe import Gating, Sync, TransformerNetwork, load_recipe
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.block import BlockRecord, BlockWork
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.checkpoints.snapshot import restore, snapshot, write_snapshot
from ssl_asr.training.curve import read_curve
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.loop import Loop
from ssl_asr.training.schedule import Cursor, progress
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate
from tests.training.synthetic import BINS, SENONES, synthetic_job

GATING = Gating(arbitrator="lstm", units=8, layers=1, feed_forward=True, begin=0.3, beta=(2.0, 4.0))
RANDOM = Gating(arbitrator="random", keep_rates=(0.9, 0.5, 0.3), feed_forward=True, begin=0.3)


SMALL = ["layers=2", "heads=2", "width=16", "feed_forward=24", "look_ahead=2", "dropout=0.1"]


def job(gating: Gating | None = GATING, run: str = "/nowhere") -> TrainingJob:
    """The synthetic training with the network that a recipe asks for."""
    asked = ["kind=transformer", *SMALL, f"gating={'null' if gating is None else gating.model_dump_json()}"]
    network = load_recipe("demo", [f"student.network.{each}" for each in asked]).student.network
    assert isinstance(network, TransformerNetwork)
    assert network.gating == gating
    return synthetic_job(run, spec=ModelSpec(network, 3 * BINS, SENONES))


def train(loop: Loop, save_at: int = 0, folder: str = "") -> list[BlockRecord]:
    records: list[BlockRecord] = []

    def on_block(record: BlockRecord, work: BlockWork) -> None:
        records.append(replace(record, seconds=0.0))
        if record.block == save_at:
            write_snapshot(folder, snapshot(loop, "", []))

    loop.run(on_block)
    return records


@pytest.mark.parametrize("gating", [GATING, RANDOM])
@pytest.mark.parametrize("strategy", ["bmuf", "dense"])
@pytest.mark.parametrize(("workers", "save_at"), [(1, 2), (1, 6), (2, 3)])
def test_resumed_while_gates_are_annealed_equals_unbroken(
    tmp_path: Path, gating: Gating, strategy: str, workers: int, save_at: int
) -> None:
    """And before gates may close."""
    mine = replace(job(gating), sync=Sync(block_slabs=1, strategy=strategy))

    def unbroken(group: SimulatedGroup) -> tuple[list[BlockRecord], torch.Tensor]:
        loop = build_loop(mine, Worker(group))
        return train(loop, save_at, str(tmp_path))[save_at:], loop.strategy.global_model()

    def resumed(group: SimulatedGroup) -> tuple[list[BlockRecord], torch.Tensor]:
        loop = build_loop(mine, Worker(group))
        restore(str(tmp_path), loop)
        return train(loop), loop.strategy.global_model()

    whole, again = simulate(workers, unbroken), simulate(workers, resumed)
    for (records, model), (records_again, model_again) in zip(whole, again, strict=True):
        assert len(records) > 3
        assert records_again == records
        assert torch.equal(model_again, model)


def test_computing_becomes_dear_and_the_curve_shows_the_share(tmp_path: Path) -> None:
    """The curve's loss is that of the objective; the share falls once beta is above 0."""
    mine = job(run=str(tmp_path))
    mine = replace(mine, schedule=tuple(replace(each, learning_rate=1e-2) for each in mine.schedule * 3))
    write_schedule(mine.run, mine.name, mine.key, mine.schedule, {each.name: len(each) for each in mine.sources})
    train_simulated(mine, 1)
    model, _ = load_model(model_uri(mine.run, mine.name))
    curve = read_curve(mine.run, mine.name)
    blocks = [record for record in curve if "loss" in record]
    shares = [record[COMPUTE_SHARE] for record in blocks]
    assert all(0 < each <= 1 for each in shares)
    before = shares[: int(0.3 * len(blocks))]
    assert min(before) > shares[-1] + 0.2
    assert blocks[-1]["loss"] < blocks[0]["loss"]  # which does not grow with beta
    assert all(0 < record[f"dev_{COMPUTE_SHARE}"] <= 1 for record in curve if "dev_loss" in record)
    assert isinstance(model.encoder, Transformer)
    assert model.encoder.section.gating == GATING


def test_random_gates_are_open_until_learned_ones_may_close() -> None:
    records = train(build_loop(job(RANDOM), Worker()))
    shares = [each.figures[COMPUTE_SHARE] for each in records]
    reached = [each.block / 14 for each in records]
    assert [share == pytest.approx(1) for share in shares] == [place <= 0.3 for place in reached]
    assert all(0.4 < share < 0.9 for share in shares if share < 0.99)


def test_a_network_without_gates_has_no_figure_of_its_own() -> None:
    records = train(build_loop(job(gating=None), Worker()))
    assert all(record.figures.keys() == {"frame_accuracy"} for record in records)


def test_progress_is_the_share_of_slabs_and_stays_at_the_end_for_a_trained_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = synthetic_job().schedule  # of 5, 3, 3 and 3 slabs
    assert [progress(schedule, each) for each in (Cursor(), Cursor(1, 2), Cursor(4))] == [0, 0.5, 1]
    told: list[float] = []
    monkeypatch.setattr(Transformer, "set_progress", lambda self, share: told.append(share))
    loop = build_loop(job(gating=None), Worker())
    told.clear()  # of building it
    train(loop)
    assert told == [block / 14 for block in range(1, 15)]
    loop = build_loop(job(gating=None), Worker())
    loop.course = replace(loop.course, begins_trained=True)
    told.clear()
    train(loop)
    assert {*told} == {1.0}
