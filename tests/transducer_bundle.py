"""Small transducers on recorded speech: their weights are random, but speech and silence matter to them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.frontend.prior import read_prior
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Recipe, parse_recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.exporting.transducers.export import ExportedTransducer, export_transducer
from ssl_asr.serving.transducers.engine import TransducerEngine
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model import TransducerModel, TransducerSpec
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from tests.conftest import CACHE
from tests.lang.test_word_pieces import trained
from tests.models.transformer.small import open_half
from tests.transducer.small import make_lively
from tests.transducer_run import with_transducers

# An LSTM predictor with a beam of 4; then stateless ones with the greedy search, of which the last one's encoder is a
# Transformer with gates.
NAMES = ("rnnt", "conv", "gated")
GATED = {
    **{"kind": "transformer", "layers": 2, "heads": 2, "width": 24, "feed_forward": 32, "look_ahead": 1},
    "gating": {"arbitrator": "lstm", "layers": 1, "units": 8, "feed_forward": True},
}


@dataclass(frozen=True, eq=False)
class Recorded:
    """A transducer of the toy run, its bundle, and a few seconds of recorded speech with the frames of each clip."""

    recipe: Recipe
    name: str
    model: TransducerModel
    exported: ExportedTransducer
    engine: TransducerEngine
    clips: tuple[np.ndarray, ...]
    frames: tuple[np.ndarray, ...]


@cache
def recorded_clips(rate: int) -> tuple[np.ndarray, ...]:
    """Lines of a game, of 2 to 3 s each."""
    spoken = [each for each in open_speech(CACHE).utterances if each.speaker.startswith("drascula")]
    some = [each for each in spoken if 2 < each.duration < 3][:4]
    return tuple(read_audio(each.audio, each.offset, each.duration, each.channel, rate) for each in some)


def frames_of(recipe: Recipe, samples: np.ndarray) -> np.ndarray:
    """Stacked frames of a speaker of whom nothing was heard."""
    prior = read_prior(recipe.run)
    frontend = OnlineFrontend(recipe.frontend, SpeakerState(np.array(prior.mean), prior.level, recipe.frontend))
    return np.concatenate([frontend.accept(samples), frontend.finish()])


def with_searches(recipe: Recipe) -> Recipe:
    recipe = with_transducers(recipe, search={"beam": 4, "max_symbols": 5})
    values = recipe.model_dump(mode="json")
    greedy = {"beam": 1, "max_symbols": 5}
    values["transducers"]["conv"] |= {"predictor": {"kind": "stateless", "units": 8}, "search": greedy}
    values["transducers"]["gated"] = {**values["transducers"]["conv"], "network": GATED}
    return parse_recipe(values)


@pytest.fixture(scope="session")
def transducer_source(tmp_path_factory: pytest.TempPathFactory, toy_source: Recipe) -> Recipe:
    """The toy language's run with both transducers; not to be changed."""
    folder = tmp_path_factory.mktemp("transducer-source")
    shutil.copytree(toy_source.run, folder / "run")
    recipe = with_searches(toy_source.model_copy(update={"run": f"{folder}/run"}))
    save_recipe(recipe)
    frames = torch.from_numpy(np.concatenate([frames_of(recipe, each) for each in recorded_clips(8000)]))
    for seed, (name, silence) in enumerate(zip(NAMES, (0.3, 0.7, 0.7), strict=True)):
        settings = recipe.transducers[name]
        spec = TransducerSpec(settings.network, settings.predictor, settings.joiner, 192, len(trained()))
        torch.manual_seed(seed)
        model = TransducerModel(spec).eval()
        model.set_statistics(frames.mean(0), frames.std(0) + 1e-3)
        factor = 3.0
        if isinstance(model.encoder, Transformer):
            open_half(model.encoder)
            factor = 1.0  # a larger one makes more of rounding
        make_lively(model, frames, silence, factor)
        save_transducer(model_uri(recipe.run, name), model, trained(), {})
    return recipe


@pytest.fixture(scope="session", params=NAMES)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, transducer_source: Recipe
) -> Recorded:
    """Not to be changed."""
    return recorded_of(transducer_source, request.param, tmp_path_factory.mktemp(request.param) / "bundle")


def recorded_of(recipe: Recipe, name: str, folder: Path) -> Recorded:
    exported, clips = export_transducer(recipe, name, folder), recorded_clips(8000)
    model, _, _ = load_transducer(model_uri(recipe.run, name))
    frames = tuple(frames_of(recipe, each) for each in clips)
    return Recorded(recipe, name, model, exported, TransducerEngine.open(folder), clips, frames)
