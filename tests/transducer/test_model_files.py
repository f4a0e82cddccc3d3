"""A transducer's file holds the word pieces too; whatever is damaged or unknown is one sentence that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_asr.models.model_files import MADE_FROM, load_model, made_from
from ssl_asr.recipe.predictor import PredictorSection
from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from tests.lang.test_word_pieces import of_other_scripts, trained
from tests.transducer.small import INPUTS, PREDICTORS, transducer

PIECES = 200


def saved(folder: Path, predictor: PredictorSection = PREDICTORS[0], **about: Any) -> str:
    uri = str(folder / "transducer.safetensors")
    save_transducer(uri, transducer(predictor, outputs=PIECES), trained(), about)
    return uri


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_a_model_comes_back_with_its_word_pieces(tmp_path: Path, predictor: PredictorSection) -> None:
    model = transducer(predictor, outputs=PIECES)
    again, pieces, about = load_transducer(saved(tmp_path, predictor, blocks=3))
    assert about == {"blocks": 3}
    assert again.spec == model.spec
    assert not again.training
    assert pieces.model == trained().model
    frames, lengths = torch.randn(1, 5, INPUTS), torch.tensor([5])
    assert torch.equal(again.encode_whole(frames, lengths), model.encode_whole(frames, lengths))
    for mine, other in zip(again.state_dict().items(), model.state_dict().items(), strict=True):
        assert mine[0] == other[0]
        assert torch.equal(mine[1], other[1])


def test_it_says_what_it_was_made_from(tmp_path: Path) -> None:
    inputs = {"features": "a", "word_pieces": trained().checksum}
    assert made_from(saved(tmp_path, **{MADE_FROM: inputs})) == inputs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "acoustic"}, "its kind of model is acoustic"),
        ({"network": {"kind": "perceiver"}}, "its network is of the unknown kind 'perceiver'"),
        ({"predictor": {"kind": "lstm", "unit": 3}}, "predictor.unit: Extra inputs are not permitted"),
        ({"predictor": {"kind": "gru"}}, "its predictor is of the unknown kind 'gru'"),
        ({"joiner": 10}, "size mismatch"),
        ({"joiner": None}, "NoneType"),
        ({"word_pieces": "0"}, "not those that it was trained with"),
        ({"outputs": PIECES + 1}, "not those that it was trained with"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    uri = saved(tmp_path)
    tensors, about = read_weights(uri)
    write_weights(uri, tensors, {**about, **changes})
    with pytest.raises(
        ValueError, match=r"transducer\.safetensors holds no model .*; delete it and train anew"
    ) as no:
        load_transducer(uri)
    assert said in str(no.value)
    assert "\n" not in str(no.value)


def test_other_or_damaged_word_pieces_are_refused(tmp_path: Path) -> None:
    uri = saved(tmp_path)
    tensors, about = read_weights(uri)
    for model, said in (
        (of_other_scripts().model, "not those"),
        (trained().model[:500], "word-piece model is damaged"),
    ):
        write_weights(uri, {**tensors, "word_pieces": torch.frombuffer(bytearray(model), dtype=torch.uint8)}, about)
        with pytest.raises(ValueError, match=said):
            load_transducer(uri)


def test_an_acoustic_models_reader_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its kind of model is transducer"):
        load_model(saved(tmp_path))
