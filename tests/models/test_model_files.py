"""A weights file says which network it holds; whatever is damaged or unknown is one sentence that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import MADE_FROM, load_model, made_from, save_model
from ssl_asr.models.systems import MODELS, TITLES, evaluated, stage_of, trained
from ssl_asr.recipe import BlstmNetwork, LstmNetwork, NetworkSection, load_recipe
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.store.weights import read_weights, write_weights

LSTM = LstmNetwork(layers=2, units=8, look_ahead=2, dropout=0.3)


def saved(folder: Path, network: NetworkSection = LSTM) -> tuple[str, AcousticModel]:
    model = AcousticModel(ModelSpec(network, 6, 9))
    model.set_statistics(torch.randn(6), torch.rand(6) + 0.5)
    uri = str(folder / "student.safetensors")
    save_model(uri, model, {"senone_set": "s", "blocks": 3})
    return uri, model


@pytest.mark.parametrize("network", [LSTM, BlstmNetwork(layers=1, units=4)])
def test_what_is_saved_is_loaded(tmp_path: Path, network: NetworkSection) -> None:
    uri, model = saved(tmp_path, network)
    loaded, about = load_model(uri)
    assert loaded.spec == model.spec
    assert about == {"senone_set": "s", "blocks": 3}
    assert not loaded.training
    frames = [torch.randn(5, 6), torch.randn(8, 6)]
    for one, other in zip(loaded.logits(frames), model.eval().logits(frames), strict=True):
        assert torch.equal(one, other)


def test_what_is_said_of_a_model_does_not_hide_what_the_file_holds(tmp_path: Path) -> None:
    uri, model = saved(tmp_path)
    inputs = {"version": "1", "features": "abc"}
    save_model(uri, model, {MADE_FROM: inputs})
    assert load_model(uri)[1] == {MADE_FROM: inputs}
    assert made_from(uri) == inputs
    assert made_from(f"{uri}.none") is None
    for key in ("kind", "network", "inputs", "outputs"):
        with pytest.raises(AssertionError, match="what the file holds"):
            save_model(uri, model, {key: inputs})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "transducer"}, "its kind of model is transducer"),
        ({"kind": None}, "its kind of model is None"),
        ({"network": {"kind": "perceiver"}}, "unknown kind 'perceiver'"),
        ({"network": {"kind": "lstm", "layres": 3}}, "network.layres: Extra inputs are not permitted"),
        ({"network": {"layers": 3}}, "'kind'"),
        ({"network": None}, "not subscriptable"),
        ({"outputs": 10}, "size mismatch"),
        ({"network": {"kind": "lstm", "layers": 2, "units": 9}}, "size mismatch"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    uri, _ = saved(tmp_path)
    tensors, about = read_weights(uri)
    write_weights(uri, tensors, {**about, **changes})
    with pytest.raises(
        ValueError, match=r"student\.safetensors holds no model .*; delete it and train anew"
    ) as refused:
        load_model(uri)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_torn_file_is_refused_by_name(tmp_path: Path) -> None:
    uri, _ = saved(tmp_path)
    Path(uri).write_bytes(Path(uri).read_bytes()[:100])
    with pytest.raises(ValueError, match=r"student\.safetensors is not a whole weights file"):
        load_model(uri)


def test_every_system_is_trained_and_has_a_title() -> None:
    usual = {"teacher", "baseline", "student"}
    asked = {"evaluate.topline": ("true", "topline"), "student.shorter_baseline": ("0.5", "baseline-short")}
    for keys in ([], [*asked][:1], [*asked]):
        off = {"evaluate.topline": "false", "student.shorter_baseline": "0"}
        on = {key: asked[key][0] for key in keys}
        recipe = load_recipe("demo", [f"{key}={value}" for key, value in (off | on).items()])
        assert set(trained(recipe)) == usual | {asked[key][1] for key in keys}
        assert set(evaluated(recipe)) <= set(trained(recipe)) <= set(MODELS)
        assert set(evaluated(recipe)) <= set(TITLES)
        assert {stage_of(name) for name in trained(recipe)} <= set(NAMES)
