"""What the gated Transformers of a run run for one utterance of test: the pictures of its page.

All are of the same utterance, one of the first slab, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.model_files import load_model
from ssl_asr.models.normalised import NormalisedEncoder
from ssl_asr.models.systems import final_name, settings_of, trained
from ssl_asr.recipe import NetworkSection, Recipe, TransformerNetwork
from ssl_asr.report.gate_plot import Gated, gated
from ssl_asr.store import features, filesystem, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model_files import load_transducer

SPLIT = "test"
SECONDS = 6.0  # the utterance nearest to this is shown: it has words and pauses, and each frame can be seen


@dataclass(frozen=True, eq=False)
class Shown:
    """An utterance: log energies [10 ms frames, mel bins], and what was said, "" where that is not known."""

    id: str
    frames: npt.NDArray[np.floating]
    text: str

    @property
    def seconds(self) -> float:
        return len(self.frames) * features.FRAME_SECONDS


@dataclass(frozen=True, eq=False)
class RunGates:
    """What each model with gates runs for the utterance, by its name."""

    shown: Shown
    models: Mapping[str, Gated]


def gates_of(recipe: Recipe) -> RunGates | None:
    """Of the run's trained models; None where none of them has gates, or no test speech is there."""
    # A model of a former recipe may have no gates yet.
    models = {name: model for name, model in _models(recipe) if _has_gates(model.encoder.section)}
    shown = _utterance(recipe) if models else None
    if shown is None:
        return None
    return RunGates(shown, {name: gated(model, shown.id, shown.frames) for name, model in models.items()})


def _models(recipe: Recipe) -> Iterator[tuple[str, NormalisedEncoder]]:
    """Those that the recipe gives gates and that are there, in the order of training; also what sMBR made of them.

    Transducers have no sequence training.
    """
    names = [each for model in trained(recipe) for each in dict.fromkeys((model, final_name(recipe, model)))]
    for model in names:
        if _is_asked_for(recipe, model, settings_of(recipe, model).network):
            yield model, load_model(model_uri(recipe.run, model))[0]
    for name, transducer in recipe.transducers.items():
        if _is_asked_for(recipe, name, transducer.network):
            yield name, load_transducer(model_uri(recipe.run, name))[0]


def _is_asked_for(recipe: Recipe, name: str, network: NetworkSection) -> bool:
    return _has_gates(network) and filesystem.exists(model_uri(recipe.run, name))


def _has_gates(network: NetworkSection) -> bool:
    return isinstance(network, TransformerNetwork) and network.gating is not None


def _utterance(recipe: Recipe) -> Shown | None:
    """The one of the first slab of test whose length is nearest to `SECONDS`, as recorded where that is there."""
    heard, listed = ShardStore(recipe.run, features.STORE), ShardStore(recipe.run, utterance.STORE)
    first = next(iter(heard.shards(SPLIT)), None)
    slab = None if first is None else next(heard.read_slabs(first), None)
    if first is None or slab is None:
        return None
    rows = [row for row in features.decode(slab, recipe.frontend.mel_bins) if len(row.frames) >= STACK]
    known = {each.id: each for each in utterance.decode(listed.read(first))}
    clean = [row for row in rows if known[row.id].condition == utterance.CLEAN]
    wanted = round(SECONDS / features.FRAME_SECONDS)
    row = min(clean or rows, key=lambda row: abs(len(row.frames) - wanted), default=None)
    return None if row is None else Shown(row.id, row.frames, known[row.id].text or "")
