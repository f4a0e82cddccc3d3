"""Any teacher can label: two checkpoints as one, and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.labelling.teachers import Ensemble, NetworkLabeller, load_teacher, target_set_id, teacher_id
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import model_id, save_model
from ssl_asr.recipe import BlstmNetwork, Recipe
from ssl_asr.store import targets
from ssl_asr.store.training_layout import model_uri
from tests.labelling.conftest import target_store


def network(seed: int, outputs: int = 9, inputs: int = 6) -> AcousticModel:
    torch.manual_seed(seed)
    return AcousticModel(ModelSpec(BlstmNetwork(layers=1, units=8), inputs, outputs)).eval()


def test_an_ensemble_gives_the_mean_posterior() -> None:
    members = [NetworkLabeller(network(seed)) for seed in (1, 2)]
    utterances = [torch.randn(length, 6) for length in (5, 9)]
    mean = Ensemble(members).log_probabilities(utterances)
    one, other = (member.log_probabilities(utterances) for member in members)
    for together, first, second in zip(mean, one, other, strict=True):
        torch.testing.assert_close(together.exp(), (first.exp() + second.exp()) / 2)
        torch.testing.assert_close(together.exp().sum(dim=1), torch.ones(len(together)))


def test_members_of_different_senone_sets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[7, 9\] senones; train them for one senone set"):
        Ensemble([NetworkLabeller(network(1, 7)), NetworkLabeller(network(2, 9))])


def test_bfloat16_is_near_and_comes_back_as_float32() -> None:
    utterances = [torch.randn(length, 6) for length in (12, 7)]
    exact, near = (NetworkLabeller(network(1), bfloat16=low).log_probabilities(utterances) for low in (False, True))
    for one, other in zip(exact, near, strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(other.exp().sum(dim=1), torch.ones(len(other)))
        torch.testing.assert_close(other, one, atol=0.05, rtol=0)


def asking(recipe: Recipe, **labelling: object) -> Recipe:
    return recipe.model_copy(update={"labelling": recipe.labelling.model_copy(update=labelling)})


def test_two_checkpoints_label_a_run_beside_the_targets_of_one(own_run: Recipe) -> None:
    second = network(5, outputs=load_teacher(own_run).num_outputs(), inputs=192)
    save_model(model_uri(own_run.run, "second"), second, {"senone_set": "none"})
    both = asking(own_run, teachers=("teacher", "second"))
    assert teacher_id(both) not in (teacher_id(own_run), model_id(model_uri(own_run.run, "second")))
    run_labelling(own_run)
    alone = {entry.shard: entry.checksum for entry in target_store(own_run).entries("unlabeled")}
    run_labelling(both)
    assert {entry.shard: entry.checksum for entry in target_store(own_run).entries("unlabeled")} == alone
    assert target_set_id(both) != target_set_id(own_run)
    entries = target_store(both).entries("unlabeled")
    assert [entry.shard for entry in entries] == list(alone)
    row = next(r for r in targets.decode(target_store(both).read_slab(entries[0].shard, 0)) if len(r.targets.senones))
    np.testing.assert_allclose(np.exp(row.targets.log_probs).sum(axis=1), 1, rtol=1e-5)


def test_another_k_or_codec_writes_beside_the_old(own_run: Recipe) -> None:
    names = {
        target_store(asking(own_run, **each)).name for each in ({}, {"k": 5}, {"value_bits": 6}, {"mass_floor": 0.1})
    }
    assert len(names) == 4


def test_a_compiled_teacher_says_the_same(teacher_run: Recipe) -> None:
    threads = torch.get_num_threads()
    try:
        frames = np.random.default_rng(0).standard_normal((30, 64)).astype(np.float16)
        plain, compiled = (
            LabelJob(asking(teacher_run, compile=each)).label([frames])[0][0] for each in (False, True)
        )
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(compiled.log_probs, plain.log_probs, atol=1e-4)
