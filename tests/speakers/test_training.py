"""Training by the shared loop: it takes the very steps of a plain one, whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from ssl_asr.recipe import Recipe
from ssl_asr.speakers import extracting
from ssl_asr.speakers.batches import BatchShape
from ssl_asr.speakers.companion import ExtractorCompanion
from ssl_asr.speakers.extracting import Workers
from ssl_asr.speakers.job import ExtractorJob, check_pool, last_loss
from ssl_asr.speakers.pool import pool_of, read_pool
from ssl_asr.speakers.reading import PoolReader
from ssl_asr.speakers.settings import LOSSES, REWEIGHTINGS, TrainingSettings
from ssl_asr.store.speakers_layout import extractor_uri
from ssl_asr.store.weights import read_description, read_weights
from ssl_asr.training.checkpoints.accounting import read_accounts
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.training.data.batches import collate
from ssl_asr.training.loop import Loop
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import SingleWorker, Worker
from ssl_asr.training.train import checkpoints_of, train
from ssl_asr.verifying.slab_audit import audit
from tests.speakers.made_up import made_up_run
from tests.speakers.trainings import LABELED, SETTINGS, job_of, settings_of
from tests.training.cut_off import CutOff, Ends, train_until

ALL = [("ge2e", each) for each in REWEIGHTINGS if each != "pairs"] + [("pairs", each) for each in REWEIGHTINGS]
ALL += [("aam", each) for each in REWEIGHTINGS if each != "pairs"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return made_up_run(tmp_path_factory.mktemp("run"))


def blocks_of(recipe: Recipe, name: str) -> list[Record]:
    return [record for record in read_curve(recipe.run, f"extractor-{name}") if "loss" in record]


def plainly(loop: Loop, settings: TrainingSettings) -> None:
    """Takes all steps with torch alone: batches by step, one Adam, clipping of the extractor's gradients."""
    model, companion, reader = loop.model, loop.companion, loop.course.reader
    objective, source = loop.course.objectives["batches"], loop.course.sources["batches"]
    optimiser = torch.optim.Adam(loop.learned.parameters(), settings.learning_rate)
    for step in range(settings.steps):
        companion.set_progress((step + 1) / settings.steps)
        if step >= settings.pretrain_steps and (step - settings.pretrain_steps) % settings.refresh_steps == 0:
            companion.begin_phase(model, SingleWorker())
        (pieces,) = loop.course.batches(reader.read("batches", source.slab(step), 0), True, np.random.default_rng())
        model.train()
        optimiser.zero_grad()
        objective.loss(model, collate(pieces, 0)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimiser.step()


def state_of(loop: Loop) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in loop.learned.state_dict().items()}


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize(("loss", "reweighting"), ALL)
def test_it_takes_the_steps_of_a_plain_loop_and_goes_on_where_it_was_cut_off(
    recipe: Recipe, loss: Any, reweighting: Any
) -> None:
    settings = settings_of(reweighting, loss=loss)
    job = job_of(recipe, f"{loss}-{reweighting}", settings)
    plain = job.build_loop(Worker())
    plainly(plain, settings)
    for after in (1, 4):  # in the pretraining, and behind it
        with pytest.raises(CutOff):
            train(job, Worker(), Ends(after), lambda: False)
    loop = train_simulated(job, 1)
    assert_equal(state_of(loop), state_of(plain))
    kept, _ = read_weights(extractor_uri(recipe.run, job.extractor))
    assert_equal(kept, plain.model.state_dict())


@pytest.mark.parametrize("loss", LOSSES)
def test_voices_are_told_apart_in_the_end(recipe: Recipe, loss: Any) -> None:
    job = job_of(recipe, f"long-{loss}", replace(SETTINGS, steps=60, loss=loss), block_slabs=5)
    train_simulated(job, 1)
    first, *_, last = blocks_of(recipe, job.extractor)
    assert last["unweighted_loss"] < 0.5 * first["unweighted_loss"]
    told = read_description(extractor_uri(recipe.run, job.extractor))["told"]
    assert (told["speakers"], told["utterances"], told["single"]) == (6, 36, 2)
    assert told["loss"] == last_loss(read_curve(recipe.run, job.name))


def test_the_last_loss_is_of_fifty_steps_or_more() -> None:
    curve = [{"loss": 0.0, "unweighted_loss": 9.0, "slabs": 100}, {"dev_loss": 8.0}]
    curve += [{"loss": 0.0, "unweighted_loss": 3.0, "slabs": 20}, {"loss": 0.0, "unweighted_loss": 1.0, "slabs": 40}]
    assert last_loss(curve) == pytest.approx((3 * 20 + 40) / 60)


@pytest.mark.parametrize("reweighting", [each for each in REWEIGHTINGS if each != "none"])
def test_weights_begin_after_pretraining(recipe: Recipe, reweighting: Any) -> None:
    losses = {}
    for weights in (reweighting, "none"):
        settings = replace(settings_of(reweighting), reweighting=weights)
        job = job_of(recipe, f"begins-{reweighting}-{weights}", settings, block_slabs=1)
        train_simulated(job, 1)
        losses[weights] = [block["unweighted_loss"] for block in blocks_of(recipe, job.extractor)]
    begin = SETTINGS.pretrain_steps + 1
    assert losses[reweighting][:begin] == pytest.approx(losses["none"][:begin], rel=1e-5)
    assert losses[reweighting][-1] != losses["none"][-1]


def test_two_workers_take_the_step_of_both_batches(recipe: Recipe) -> None:
    settings = replace(SETTINGS, steps=2)
    job = job_of(recipe, "two", settings, block_slabs=1)
    one = job.build_loop(Worker())
    objective, reader = one.course.objectives["batches"], one.course.reader
    optimiser = torch.optim.Adam(one.learned.parameters(), settings.learning_rate)
    for step in range(2):
        (pieces,) = one.course.batches(
            reader.read("batches", one.course.sources["batches"].slab(step), 0), True, None
        )
        (objective.loss(one.model, collate(pieces, 0)).loss / 2).backward()
    torch.nn.utils.clip_grad_norm_(one.model.parameters(), settings.clip_norm)
    optimiser.step()
    both = train_simulated(job, 2)
    assert both.block == 1
    assert torch.allclose(flat.parameters(both.model), flat.parameters(one.model), atol=1e-6)


@pytest.mark.parametrize("strategy", ["dense", "bmuf", "gtc"])
@pytest.mark.parametrize("reweighting", ["groups", "pairs"])
def test_one_then_three_then_two_workers_agree_and_learn(recipe: Recipe, reweighting: Any, strategy: str) -> None:
    """At every block's end workers assert that their networks and buffers are equal."""
    settings = settings_of(reweighting, steps=45, pretrain_steps=15, refresh_steps=10)
    sync = {"strategy": strategy, "gtc_dense_steps": 4, "gtc_share": 0.1}
    job = job_of(recipe, f"{strategy}-{reweighting}", settings, **sync)
    for workers, after in ((1, 4), (3, 7)):
        train_until(job, workers, after)
    loop = train_simulated(job, 2)
    accounts = list(read_accounts(job.run, job.name, job.key))
    assert {len(account.assignments) for account in accounts} == {1, 2, 3}
    audited = audit(job.schedule, {"batches": settings.steps}, accounts, finished=True)
    assert (audited.slabs, audited.problems) == (settings.steps, ())
    blocks = blocks_of(recipe, job.extractor)
    assert blocks[-1]["unweighted_loss"] < 0.7 * blocks[0]["unweighted_loss"]
    assert isinstance(loop.companion, ExtractorCompanion)
    if reweighting == "groups":
        assert loop.companion.weighting.get_buffer("batches") == settings.steps - settings.pretrain_steps
    newest = checkpoints_of(job).newest()
    assert newest is not None
    kept, _ = read_weights(f"{newest}/shared.safetensors")
    for name, buffer in loop.shared_state().items():
        assert torch.equal(kept[f"companion.{name}"], buffer)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reweighting": "pairs"}, "--loss ge2e has none of; give --loss pairs"),
        ({"shape": BatchShape(9)}, "a batch wants 9 speakers"),
        ({"reweighting": "clusters", "clusters": 37}, "36 utterances make no 37 regions"),
    ],
)
def test_settings_that_cannot_be_are_refused(recipe: Recipe, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_pool(read_pool(recipe, LABELED), replace(SETTINGS, **change))


def test_one_group_is_refused(recipe: Recipe) -> None:
    of_one = pool_of([replace(each, group="north") for each in read_pool(recipe, LABELED).utterances])
    with pytest.raises(ValueError, match="needs two groups of training speech, and there is one"):
        check_pool(of_one, replace(SETTINGS, reweighting="groups"))


def test_accounts_name_steps(recipe: Recipe, tmp_path: Path) -> None:
    job = job_of(recipe, "named")
    train_simulated(job, 1)
    first, *_ = read_accounts(job.run, job.name, job.key)
    assert first.source == "batches"
    assert first.assignments[0].slabs == ("batches/000000:0", "batches/000000:1")
    assert first.assignments[0].frames == 2 * 4 * 3 * 20


def test_a_loss_that_is_not_finite_is_refused_however_often_it_is_tried(recipe: Recipe, tmp_path: Path) -> None:
    broken = made_up_run(tmp_path)
    job = job_of(broken, "own", settings_of("groups"))
    build_loop = ExtractorJob.build_loop

    def with_a_hole(self: ExtractorJob, worker: Worker) -> Loop:
        loop = build_loop(self, worker)
        assert isinstance(loop.course.reader, PoolReader)
        loop.course.reader.pool.utterances[0].frames[:] = np.nan
        return loop

    with patch.object(ExtractorJob, "build_loop", with_a_hole):
        for _ in range(2):
            with pytest.raises(
                ValueError, match=r"^the loss of utterance '.*' is not finite, beside others; `ssl-asr"
            ):
                train_simulated(job, 1)
    assert not Path(extractor_uri(broken.run, "own")).exists()


def test_the_loss_told_counts_utterances_whatever_their_length(recipe: Recipe) -> None:
    loop = job_of(recipe, "weights").build_loop(Worker(SingleWorker()))
    examples = loop.course.reader.read("batches", loop.course.sources["batches"].at(0), 0)
    (pieces,) = loop.course.batches(examples, True, np.random.default_rng(0))
    objective = loop.course.objectives["batches"]
    assert objective.loss(loop.model, collate(pieces, 0)).weight == objective.weight(pieces) == 12


def test_how_many_workers_may_train_makes_another_extractor(recipe: Recipe) -> None:
    keys = {extracting._job(recipe, "own", LABELED, SETTINGS, Workers(most)).key for most in (1, 2, 4)}
    assert len(keys) == 3
