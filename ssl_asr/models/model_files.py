"""A finished acoustic model as one weights file in the run: `models/teacher.safetensors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum
from ssl_asr.store.weights import read_weights, write_weights


def save_model(uri: str, model: AcousticModel, about: Mapping[str, Any]) -> str:
    """Publish the model; `about` holds plain values such as "key" and "senone_set". Returns the checksum."""
    return write_weights(uri, model.state_dict(), {"spec": asdict(model.spec), **about})


def load_model(uri: str) -> tuple[AcousticModel, dict[str, Any]]:
    """The model in evaluation mode and what was said about it; ValueError naming a damaged file."""
    tensors, about = read_weights(uri)
    try:
        model = AcousticModel(ModelSpec(**about.pop("spec")))
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{uri} holds no acoustic model of this version ({error}); delete it and train anew"
        ) from error
    return model.eval(), about


def model_id(uri: str) -> str:
    """Content address of a model file: two models share it only if they are equal."""
    return checksum(filesystem.read_bytes(uri))[:12]
