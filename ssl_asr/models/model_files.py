"""A finished model as one weights file in the run: `models/teacher.safetensors`.

The file says what it holds: the kind of model, the network's section of the recipe, and the widths at both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import NETWORKS, NetworkSection
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum
from ssl_asr.store.weights import read_description, read_weights, write_weights

ACOUSTIC = "acoustic"
# Among what is said about a model: what it was trained on and by; and, of a model whose posteriors are not those of
# the alignments any more, how many frames it gives to each senone of the labeled speech.
MADE_FROM, POSTERIOR_COUNTS = "made_from", "posterior_counts"


def save_model(uri: str, model: AcousticModel, about: Mapping[str, Any]) -> str:
    """Publish the model; `about` holds plain values: MADE_FROM, "senone_set" and others. Returns the checksum."""
    spec = model.spec
    network = spec.network.model_dump(mode="json")
    described = {"kind": ACOUSTIC, "network": network, "inputs": spec.inputs, "outputs": spec.outputs}
    assert not about.keys() & described.keys(), "these keys say what the file holds"
    return write_weights(uri, model.state_dict(), {**about, **described})


def load_model(uri: str) -> tuple[AcousticModel, dict[str, Any]]:
    """The model in evaluation mode and what was said about it; ValueError naming a damaged or unknown file."""
    tensors, about = read_weights(uri)
    try:
        model = AcousticModel(_spec_of(about))
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        said = " ".join(str(_first(error)).split())
        raise ValueError(
            f"{uri} holds no model that this version knows ({said}); delete it and train anew"
        ) from error
    return model.eval(), about


def made_from(uri: str) -> Inputs | None:
    """What the model at `uri` was made from; None where there is none. ValueError as `read_description`."""
    return read_description(uri).get(MADE_FROM, {}) if filesystem.exists(uri) else None


def _spec_of(about: dict[str, Any]) -> ModelSpec:
    """Takes what describes the model out of `about`."""
    kind, network = about.pop("kind", None), about.pop("network", None)
    if kind != ACOUSTIC:
        raise ValueError(f"its kind of model is {kind}")
    listed = NETWORKS.get(network["kind"])
    if listed is None:
        raise ValueError(f"its network is of the unknown kind '{network['kind']}'")
    section = listed.section.model_validate(network)
    assert isinstance(section, NetworkSection), "the table of networks lists networks"
    return ModelSpec(section, int(about.pop("inputs")), int(about.pop("outputs")))


def _first(error: Exception) -> object:
    """Of a refused section, the first key and its problem."""
    if not isinstance(error, ValidationError):
        return error
    problem = error.errors()[0]
    return f"network.{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def model_id(uri: str) -> str:
    """Content hash of a model file: two models share it only if they are equal."""
    return checksum(filesystem.read_bytes(uri))[:12]
