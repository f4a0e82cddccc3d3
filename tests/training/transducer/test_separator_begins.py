"""How a separator begins: as an acoustic model of one talker, or with all weights of another transducer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import load_model
from ssl_asr.models.separator import NOISE, Separator
from ssl_asr.recipe import Recipe, SeparatorNetwork, parse_recipe
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.job import TrainingJob, build_model
from ssl_asr.training.transducer.encoder import encoder_inputs, encoder_job, encoder_plan
from ssl_asr.training.transducer.inputs import transducer_inputs
from ssl_asr.training.transducer.plan import transducer_job, transducer_plan
from ssl_asr.training.transducer.stage import run_transducers, todo_transducers
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import load_transducer
from ssl_asr.verifying.run import verify
from tests.conversation_run import CONVERSATIONS, NETWORK, SMALL, with_conversations
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training
from tests.training.test_loop import resumed_equals_unbroken

ALONE = {
    "network": NETWORK | {"channels": 1},
    "word_pieces": 12,
    "senone_passes": 2,
    "conversations": {"turns": [1, 1], "overlap_share": 0, "marks": "none"},
}


def with_talker(recipe: Recipe, alone: Mapping[str, object] | None = None, **changes: object) -> Recipe:
    """`talker` hears one talker at a time; `sts` begins as it, and `changes` are of `sts`."""
    sts = {**SMALL, "network": NETWORK, "conversations": CONVERSATIONS, "start_from": "talker", **changes}
    transducers = {"talker": {**SMALL, **ALONE, **(alone or {})}, "sts": sts}
    return parse_recipe(recipe.model_dump(mode="json") | {"transducers": transducers})


def trained(recipe: Recipe) -> dict[str, bytes]:
    with placed_here(), simulated_training():
        run_transducers(recipe)
    return {each.name: each.read_bytes() for each in Path(model_uri(recipe.run, "sts")).parent.iterdir()}


def job_of(recipe: Recipe, name: str = "sts") -> TrainingJob:
    pieces = ensure_word_pieces(recipe, recipe.transducers[name])
    return transducer_job(recipe, transducer_plan(recipe, name), pieces)


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    return {name for name in after if before.get(name) != after[name]}


def assert_begins_as(encoder: Separator, start: Separator) -> None:
    """All but the copies are equal; each copy differs a little, in all of its tensors."""
    weights, before = encoder.state_dict(), start.state_dict()
    for name, tensor in before.items():
        assert torch.equal(weights[name], tensor), name
        if name.startswith("separation.0."):
            copy = weights[name.replace("separation.0.", "separation.1.")]
            apart = (copy - tensor).abs()
            assert 0 < apart.mean() < 2 * NOISE * tensor.std(correction=0), name


def test_a_separator_of_one_channel_is_an_acoustic_model() -> None:
    torch.manual_seed(0)
    model = AcousticModel(ModelSpec(SeparatorNetwork(channels=1, units=6, width=5), 4, 7)).eval()
    frames, lengths = torch.randn(2, 9, 4), torch.tensor([9, 6])
    logits = model(frames, lengths)
    assert logits.shape == (2, 9, 7)
    state = model.encoder.initial_state(2)
    first, state = model.encode(frames[:, :4], torch.tensor([4, 4]), state)
    rest, _ = model.encode(frames[:, 4:], torch.tensor([5, 2]), state)
    found = model.classify(torch.cat([first, rest], 1))
    torch.testing.assert_close(found[0], logits[0])
    torch.testing.assert_close(found[1, :6], logits[1, :6])


def test_it_learns_senones_of_one_talker_first(conversation_recipe: Recipe) -> None:
    recipe = with_conversations(conversation_recipe, {"senone_passes": 2})
    assert {"sts-senones.safetensors", "sts.safetensors"} <= trained(recipe).keys()
    start, about = load_model(model_uri(recipe.run, "sts-senones"))
    assert isinstance(start.spec.network, SeparatorNetwork)
    assert (start.spec.network.channels, bool(about["senone_set"])) == (1, True)
    begun = build_model(job_of(recipe))
    assert isinstance(begun.encoder, Separator)
    assert isinstance(start.encoder, Separator)
    assert begun.encoder.section.channels == 2
    assert_begins_as(begun.encoder, start.encoder)
    again = build_model(job_of(recipe))
    assert all(torch.equal(*pair) for pair in zip(begun.parameters(), again.parameters(), strict=True))
    other = build_model(job_of(recipe.model_copy(update={"seed": 2})))
    copied = "separation.1.norms.0.bias"
    assert not torch.equal(other.encoder.state_dict()[copied], begun.encoder.state_dict()[copied])
    assert [each.sentence for each in verify(recipe).findings if "sts" in each.sentence] == []


def test_what_is_learned_of_turns_leaves_its_encoder_of_senones(conversation_recipe: Recipe) -> None:
    before = encoder_inputs(with_conversations(conversation_recipe, {"senone_passes": 2}), "sts")
    network = SMALL["network"]
    assert isinstance(network, dict)
    later = {"senone_passes": 2, "fast_emit": 0.005, "network": network | {"channels": 3}}
    assert encoder_inputs(with_conversations(conversation_recipe, later, masking=0.1), "sts") == before
    wider = {"senone_passes": 2, "network": network | {"units": 7}}
    assert encoder_inputs(with_conversations(conversation_recipe, wider), "sts") != before


@pytest.mark.parametrize("name", ["talker-senones", "sts"])
def test_resumed_equals_unbroken_bit_for_bit(conversation_recipe: Recipe, tmp_path: Path, name: str) -> None:
    torch.set_num_threads(1)
    recipe = with_talker(conversation_recipe)
    trained(recipe)
    job = encoder_job(recipe, encoder_plan(recipe, "talker")) if "-" in name else job_of(recipe)
    assert job.start_transducer == (None if "-" in name else "talker")
    resumed_equals_unbroken(job, tmp_path / "checkpoint", "bmuf, adam", workers=2, save_at=2)


def test_it_begins_with_all_weights_of_another_transducer(conversation_recipe: Recipe) -> None:
    recipe = with_talker(conversation_recipe)
    models = trained(recipe)
    assert {"talker-senones.safetensors", "talker.safetensors", "sts.safetensors"} <= models.keys()
    assert "sts-senones.safetensors" not in models
    start, its, _ = load_transducer(model_uri(recipe.run, "talker"))
    begun = build_model(job_of(recipe))
    assert isinstance(begun, TransducerModel)
    assert isinstance(begun.encoder, Separator)
    assert isinstance(start.encoder, Separator)
    assert_begins_as(begun.encoder, start.encoder)
    mine = ensure_word_pieces(recipe, recipe.transducers["sts"])
    assert mine.pieces != its.pieces, "one has marks"
    found, before = begun.state_dict(), start.state_dict()
    of_pieces = {"predictor.embedding.weight", "joiner.output.weight", "joiner.output.bias"}
    for name in (each for each in before if each.startswith(("predictor.", "joiner."))):
        if name not in of_pieces:
            assert torch.equal(found[name], before[name]), name
            continue
        for row, piece in enumerate(mine.pieces):
            assert piece not in its.pieces or torch.equal(found[name][row], before[name][its.pieces.index(piece)])
        for mark in ("<sot>", "<eot>"):
            assert not (found[name][mine.symbol_id(mark)] == before[name]).reshape(len(its), -1).all(1).any()
    assert trained(recipe) == models
    assert todo_transducers(recipe, []) == []
    assert [each.sentence for each in verify(recipe).findings if "sts" in each.sentence] == []


def test_what_they_share_is_trained_once_and_other_weights_train_anew(conversation_recipe: Recipe) -> None:
    first = trained(with_talker(conversation_recipe))
    faster = trained(with_talker(conversation_recipe, fast_emit=0.005))
    assert changed(first, faster) == {"sts.safetensors"}
    longer = with_talker(conversation_recipe, {"sub_epochs": 4}, fast_emit=0.005)
    assert "start" in todo_transducers(longer, [])[0].because
    assert changed(faster, trained(longer)) == {"talker.safetensors", "sts.safetensors"}
    searched = with_talker(conversation_recipe, {"sub_epochs": 4, "search": {"beam": 2}}, fast_emit=0.005)
    assert transducer_inputs(searched, "sts") == transducer_inputs(longer, "sts")


@pytest.mark.parametrize(
    ("alone", "changes", "said"),
    [
        ({}, {"start_from": "sts"}, r"start_from=sts: name a transducer that stands above this one"),
        ({}, {"start_from": "none"}, r"start_from=none: name a transducer that stands above this one"),
        ({}, {"network": NETWORK | {"units": 9}}, r"start_from=talker has another network"),
        ({}, {"joiner": 9}, r"start_from=talker has another predictor or joiner"),
        ({}, {"predictor": {"units": 9, "embedding": 4}}, r"start_from=talker has another predictor or joiner"),
        ({}, {"senone_passes": 1}, r"start_from=talker and senone_passes both say how the encoder begins"),
        ({"network": NETWORK | {"channels": 3}}, {}, r"start_from=talker has another network"),
    ],
)
def test_a_start_that_can_t_be_meant_is_refused(
    conversation_recipe: Recipe, alone: dict[str, object], changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        with_talker(conversation_recipe, alone, **changes)


def test_another_model_in_its_place_is_refused(conversation_recipe: Recipe) -> None:
    recipe = with_talker(conversation_recipe)
    trained(recipe)
    with pytest.raises(ValueError, match=r"talker.safetensors has another predictor or joiner than the transducer"):
        build_model(job_of(with_talker(conversation_recipe, {"joiner": 9}, joiner=9)))
    wide = NETWORK | {"units": 9}
    with pytest.raises(ValueError, match=r"talker.safetensors has another encoder than the network that begins"):
        build_model(job_of(with_talker(conversation_recipe, {"network": wide | {"channels": 1}}, network=wide)))
