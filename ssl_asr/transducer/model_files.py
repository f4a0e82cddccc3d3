"""A finished transducer as one weights file: the model and the word pieces that it speaks in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.model_files import refusing_unknown, take_kind, take_section
from ssl_asr.recipe import NETWORKS, NetworkSection
from ssl_asr.recipe.predictor import PREDICTORS, PredictorSection
from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.transducer.model import TransducerModel, TransducerSpec

TRANSDUCER = "transducer"
_WORD_PIECES = "word_pieces"  # bytes of their model, beside the weights


def save_transducer(uri: str, model: TransducerModel, pieces: WordPieces, about: Mapping[str, Any]) -> str:
    """Publish the model; `about` holds plain values, as of `ssl_asr.models.model_files`. Returns the checksum."""
    spec = model.spec
    assert spec.outputs == len(pieces), "a model speaks in its own word pieces"
    described = {
        "kind": TRANSDUCER,
        "network": spec.network.model_dump(mode="json"),
        "predictor": spec.predictor.model_dump(mode="json"),
        "joiner": spec.joiner,
        "inputs": spec.inputs,
        "outputs": spec.outputs,
        "word_pieces": pieces.checksum,
    }
    assert not about.keys() & described.keys(), "these keys say what the file holds"
    tensors = {**model.state_dict(), _WORD_PIECES: torch.frombuffer(bytearray(pieces.model), dtype=torch.uint8)}
    return write_weights(uri, tensors, {**about, **described})


def load_transducer(uri: str) -> tuple[TransducerModel, WordPieces, dict[str, Any]]:
    """The model in evaluation mode, its word pieces and what was said about it; ValueError as `load_model`."""
    tensors, about = read_weights(uri)
    with refusing_unknown(uri):
        take_kind(about, TRANSDUCER)
        network = take_section(about, "network", NETWORKS, NetworkSection)
        predictor = take_section(about, "predictor", PREDICTORS, PredictorSection)
        sizes = {name: int(about.pop(name)) for name in ("joiner", "inputs", "outputs")}
        pieces = WordPieces(tensors.pop(_WORD_PIECES).numpy().tobytes(), "its word-piece model")
        if (pieces.checksum, len(pieces)) != (about.pop("word_pieces"), sizes["outputs"]):
            raise ValueError("its word pieces are not those that it was trained with")
        model = TransducerModel(TransducerSpec(network, predictor, **sizes))
        model.load_state_dict(tensors)
    return model.eval(), pieces, about
