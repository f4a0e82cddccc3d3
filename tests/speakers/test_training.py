"""Training: it learns, every reweighting runs, and an interruption changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssl_asr.speakers.batches import BatchShape
from ssl_asr.speakers.pool import Pooled, pool_of
from ssl_asr.speakers.settings import LOSSES, REWEIGHTINGS, TrainingSettings
from ssl_asr.speakers.training import ExtractorTraining, Statistics
from tests.speakers.made_up import REGIONS, frames_of

SETTINGS = TrainingSettings(
    layers=1,
    units=12,
    dimensions=6,
    shape=BatchShape(4, 3, 20),
    steps=8,
    pretrain_steps=3,
    clusters=3,
    refresh_steps=2,
)
STATISTICS = Statistics(torch.zeros(192), torch.full((192,), 2.0))


def pool():
    return pool_of(
        [
            Pooled(f"{number}-{part}", f"person {number}", _stacked(number, part), REGIONS[number % 2])
            for number in range(6)
            for part in range(5)
        ]
    )


def _stacked(number: int, part: int) -> np.ndarray:
    return frames_of(f"person {number}", part).astype(np.float16).reshape(25, 192)


def trained(settings: TrainingSettings) -> ExtractorTraining:
    training = ExtractorTraining(pool(), STATISTICS, settings)
    training.run(lambda: None)
    return training


def settings_of(reweighting) -> TrainingSettings:
    return replace(SETTINGS, reweighting=reweighting, loss="pairs" if reweighting == "pairs" else "ge2e")


@pytest.mark.parametrize("loss", LOSSES)
def test_voices_are_told_apart_in_the_end(loss):
    training = trained(replace(SETTINGS, steps=60, loss=loss))
    assert np.mean(training.losses[-10:]) < 0.3 * training.losses[0]


@pytest.mark.parametrize("reweighting", [*REWEIGHTINGS, "aam"])
def test_an_interrupted_training_ends_as_another(reweighting, tmp_path):
    uri = str(tmp_path / "checkpoint.safetensors")
    settings = settings_of(reweighting) if reweighting != "aam" else replace(SETTINGS, loss="aam")
    whole = trained(settings)
    first = ExtractorTraining(pool(), STATISTICS, settings)

    def stop_after_five() -> None:
        if first.step == 5:
            first.save(uri, "key")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(stop_after_five)
    second = ExtractorTraining(pool(), STATISTICS, settings)
    second.load(uri, "key")
    assert second.step == 5
    second.run(lambda: None)
    assert second.losses == whole.losses
    for module in ("model", "weighting", *(["classifier"] if settings.loss == "aam" else [])):
        expected = getattr(whole, module).state_dict()
        for name, found in getattr(second, module).state_dict().items():
            assert torch.equal(found, expected[name]), name


def test_it_takes_one_core_and_gives_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    training = ExtractorTraining(pool(), STATISTICS, SETTINGS)

    def stop() -> None:
        assert torch.get_num_threads() == 1
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            training.run(stop)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_checkpoint_of_another_training_is_not_taken(tmp_path):
    uri = str(tmp_path / "checkpoint.safetensors")
    trained(SETTINGS).save(uri, "one")
    other = ExtractorTraining(pool(), STATISTICS, SETTINGS)
    other.load(uri, "two")
    assert other.step == 0


@pytest.mark.parametrize("reweighting", [each for each in REWEIGHTINGS if each != "none"])
def test_weights_begin_after_pretraining(reweighting):
    settings = settings_of(reweighting)
    plain = replace(settings, reweighting="none")
    losses, without = trained(settings).losses, trained(plain).losses
    assert losses[: settings.pretrain_steps + 1] == pytest.approx(without[: settings.pretrain_steps + 1], rel=1e-5)
    assert losses[-1] != without[-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reweighting": "pairs"}, "--loss ge2e has none of; give --loss pairs"),
        ({"shape": BatchShape(9)}, "a batch wants 9 speakers"),
        ({"reweighting": "clusters", "clusters": 31}, "30 utterances make no 31 regions"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        ExtractorTraining(pool(), STATISTICS, replace(SETTINGS, **change))


def test_one_group_is_refused():
    of_one = pool_of([replace(each, group="north") for each in pool().utterances])
    with pytest.raises(ValueError, match="needs two groups of training speech, and there is one"):
        ExtractorTraining(of_one, STATISTICS, replace(SETTINGS, reweighting="groups"))
