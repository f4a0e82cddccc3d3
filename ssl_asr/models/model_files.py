"""A finished model as one weights file in the run: `models/teacher.safetensors`.

The file says what it holds: the kind of model, the network's section of the recipe, and the widths at both ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import ValidationError

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.cohort_input import CohortInput
from ssl_asr.recipe import NETWORKS, NetworkSection
from ssl_asr.recipe.choice import Table
from ssl_asr.recipe.identity import Inputs
from ssl_asr.recipe.section import Section
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum
from ssl_asr.store.weights import read_description, read_weights, write_weights

ACOUSTIC, COHORTS = "acoustic", "cohorts"
# Among what is said about a model: what it was trained on and by; and, of a model whose posteriors are not those of
# the alignments any more, how many frames it gives to each senone of the labeled speech.
MADE_FROM, POSTERIOR_COUNTS = "made_from", "posterior_counts"

SectionT = TypeVar("SectionT", bound=Section)


def save_model(uri: str, model: AcousticModel, about: Mapping[str, Any]) -> str:
    """Publish the model; `about` holds plain values: MADE_FROM, "senone_set" and others. Returns the checksum."""
    spec = model.spec
    network = spec.network.model_dump(mode="json")
    described = {"kind": ACOUSTIC, "network": network, "inputs": spec.inputs, "outputs": spec.outputs}
    if spec.cohorts is not None:
        described[COHORTS] = asdict(spec.cohorts)
    assert not about.keys() & {*described, COHORTS}, "these keys say what the file holds"
    return write_weights(uri, model.state_dict(), {**about, **described})


def load_model(uri: str) -> tuple[AcousticModel, dict[str, Any]]:
    """The model in evaluation mode and what was said about it; ValueError naming a damaged or unknown file."""
    tensors, about = read_weights(uri)
    with refusing_unknown(uri):
        take_kind(about, ACOUSTIC)
        network = take_section(about, "network", NETWORKS, NetworkSection)
        sizes = int(about.pop("inputs")), int(about.pop("outputs"))
        model = AcousticModel(ModelSpec(network, *sizes, _cohorts(about.pop(COHORTS, None))))
        model.load_state_dict(tensors)
    return model.eval(), about


def _cohorts(described: Mapping[str, Any] | None) -> CohortInput | None:
    if described is None:
        return None
    return CohortInput(tuple(map(str, described["names"])), int(described["dimensions"]))


@contextmanager
def refusing_unknown(uri: str) -> Iterator[None]:
    """What a description or weights inside do not fit is one sentence that names the file."""
    try:
        yield
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{uri} holds no model that this version knows ({said}); delete it and train anew"
        ) from error


def take_kind(about: dict[str, Any], expected: str) -> None:
    """Out of `about`; ValueError if it is another kind of model."""
    kind = about.pop("kind", None)
    if kind != expected:
        raise ValueError(f"its kind of model is {kind}")


def take_section(about: dict[str, Any], name: str, table: Table, wanted: type[SectionT]) -> SectionT:
    """Out of `about`, the section of one of a table's kinds; ValueError with its first problem."""
    described = about.pop(name, None)
    listed = table.get(described["kind"])
    if listed is None:
        raise ValueError(f"its {name} is of the unknown kind '{described['kind']}'")
    try:
        section = listed.section.model_validate(described)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ValueError(f"{name}.{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
    assert isinstance(section, wanted), "a table lists sections of one sort"
    return section


def made_from(uri: str) -> Inputs | None:
    """What the model at `uri` was made from; None where there is none. ValueError as `read_description`."""
    return read_description(uri).get(MADE_FROM, {}) if filesystem.exists(uri) else None


def model_id(uri: str) -> str:
    """Content hash of a model file: two models share it only if they are equal."""
    return checksum(filesystem.read_bytes(uri))[:12]
