"""A transducer whose encoder learns senones before: it begins with these weights, and other ones train it anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import Recipe
from ssl_asr.report.blocks import trained_blocks
from ssl_asr.report.evidence import gather
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.training.job import build_model
from ssl_asr.training.transducer.encoder import encoder_inputs
from ssl_asr.training.transducer.plan import transducer_job, transducer_plan
from ssl_asr.training.transducer.stage import run_transducers, todo_transducers
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces
from ssl_asr.verifying.run import verify
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training
from tests.transducer_run import with_transducers


def trained(recipe: Recipe) -> dict[str, bytes]:
    with placed_here(), simulated_training():
        run_transducers(recipe)
    return {each.name: each.read_bytes() for each in Path(model_uri(recipe.run, "rnnt")).parent.iterdir()}


def test_its_encoder_learns_senones_first_and_once(transducer_recipe: Recipe) -> None:
    recipe = with_transducers(transducer_recipe, senone_passes=2)
    models = trained(recipe)
    assert "conv-senones.safetensors" not in models
    start, about = load_model(model_uri(recipe.run, "rnnt-senones"))
    assert start.spec.network == recipe.transducers["rnnt"].network
    assert about["senone_set"]
    curve = read_curve(recipe.run, "rnnt-senones")
    dev = [each["dev_frame_accuracy"] for each in curve if "dev_frame_accuracy" in each]
    assert len(dev) == 2
    pieces = ensure_word_pieces(recipe, recipe.transducers["rnnt"])
    begun = build_model(transducer_job(recipe, transducer_plan(recipe, "rnnt"), pieces))
    for mine, its in zip(begun.encoder.parameters(), start.encoder.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert trained(recipe) == models
    assert todo_transducers(recipe, []) == []


def test_it_is_shown_counted_and_verified(transducer_recipe: Recipe) -> None:
    recipe = with_transducers(transducer_recipe, senone_passes=2)
    trained(recipe)
    done, planned = trained_blocks(recipe, "transducers")
    assert done == planned == sum(len(read_blocks(recipe, name)) for name in ("rnnt-senones", "rnnt", "conv"))
    assert "rnnt-senones" in gather(recipe).curves
    assert [each.sentence for each in verify(recipe).findings if "rnnt" in each.sentence] == []


def read_blocks(recipe: Recipe, name: str) -> list[object]:
    return [record for record in read_curve(recipe.run, name) if "loss" in record]


def test_what_has_no_part_in_its_encoder_leaves_it_as_it_is(transducer_recipe: Recipe) -> None:
    recipe = with_transducers(transducer_recipe, senone_passes=2)
    before = encoder_inputs(recipe, "rnnt")
    words = {"sub_epochs": 3, "joiner": 9, "fast_emit": 0.005, "predictor": {"units": 9, "embedding": 4}}
    for name, value in words.items():
        assert encoder_inputs(with_transducers(transducer_recipe, senone_passes=2, **{name: value}), "rnnt") == before
    models = trained(recipe)
    later = trained(with_transducers(transducer_recipe, senone_passes=2, fast_emit=0.005))
    assert {name for name in models if models[name] != later[name]} == {"rnnt.safetensors"}
    more = with_transducers(transducer_recipe, senone_passes=3, fast_emit=0.005)
    assert todo_transducers(more, [])[0].because == ("encoder", "transducers.rnnt.senone_passes")
    changed = trained(more)
    assert {name for name in later if later[name] != changed[name]} == {
        "rnnt.safetensors",
        "rnnt-senones.safetensors",
    }


def test_two_ways_to_begin_and_a_taken_name_are_refused(transducer_recipe: Recipe) -> None:
    with pytest.raises(ValueError, match=r"encoder_from=student and senone_passes both say how the encoder begins"):
        with_transducers(transducer_recipe, encoder_from="student", senone_passes=1)
    recipe = with_transducers(transducer_recipe, senone_passes=1)
    values = recipe.model_dump(mode="json")
    values["transducers"]["rnnt-senones"] = values["transducers"]["conv"]
    with pytest.raises(ValueError, match=r"rnnt-senones has the name of another transducer's encoder"):
        type(recipe).model_validate(values)
