"""Bundles: a copy of that of the toy language, and one of a small network that has learned some recorded speech."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.decoding.graph_files import graph_inputs, make_graph
from ssl_asr.evaluation.inputs import language_inputs
from ssl_asr.evaluation.results_file import write_results
from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import model_id, save_model
from ssl_asr.recipe import LstmNetwork, Recipe
from ssl_asr.serving.exporting.export import Exported, export
from ssl_asr.serving.senone_engine import SenoneEngine
from ssl_asr.store import alignments, features
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from tests.conftest import KEPT
from tests.kept import kept
from tests.report.example_run import example_results
from tests.transducer_bundle import recorded, transducer_source

__all__ = ["recorded", "transducer_source"]


@pytest.fixture
def toy_bundle(toy_export: Exported, tmp_path: Path) -> Path:
    """A copy of the toy language's bundle, to damage."""
    return Path(shutil.copytree(toy_export.folder, tmp_path / "bundle"))


@dataclass(frozen=True)
class Spoken:
    """A run of recorded speech and its student's bundle."""

    recipe: Recipe
    folder: Path
    engine: SenoneEngine


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory, aligned_run: Recipe) -> Spoken:
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("spoken")
    recipe, bundle = aligned_run.model_copy(update={"run": f"{folder}/run"}), folder / "bundle"

    def learn_and_export() -> None:
        shutil.copytree(aligned_run.run, recipe.run)
        senones = load_senones(recipe.run)
        uri = model_uri(recipe.run, "student")
        save_model(uri, _learned(recipe, senones), {"senone_set": senones.id})
        inputs = graph_inputs(recipe.run, senones.id, language_inputs(recipe))
        make_graph(recipe.run, recipe.evaluate.lm_order, inputs)
        write_results(recipe.run, replace(example_results(), inputs={"student": model_id(uri)}))
        export(recipe, "student", bundle)

    kept(KEPT, "spoken", folder, learn_and_export)
    return Spoken(recipe, bundle, SenoneEngine.open(bundle))


def _learned(recipe: Recipe, senones: SenoneSet) -> AcousticModel:
    """Some passes over the labeled speech: it gets a part of the words."""
    torch.manual_seed(1)
    model = AcousticModel(ModelSpec(LstmNetwork(layers=2, units=48, look_ahead=3, dropout=0.0), 192, senones.size))
    mean, deviation = (torch.from_numpy(np.tile(each, 3)) for each in global_statistics(recipe.run))
    model.set_statistics(mean, deviation)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    examples = _examples(recipe, senones)
    for _ in range(4):
        for frames, labels in examples:
            logits = model(frames[None], torch.tensor([len(frames)]))[0, 3:]
            loss = torch.nn.functional.cross_entropy(logits, labels[: len(logits)])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def _examples(recipe: Recipe, senones: SenoneSet) -> list[tuple[torch.Tensor, torch.Tensor]]:
    heard = ShardStore(recipe.run, features.STORE)
    aligned = ShardStore(recipe.run, alignments.store_name(senones.alignment_set))
    found = []
    for shard in heard.shards("labeled"):
        for frames, labels in zip(heard.read_slabs(shard), aligned.read_slabs(shard), strict=True):
            known = alignments.decode(labels)
            for row in features.decode(frames, 64):
                if len(known[row.id]) > 60:
                    inputs = torch.from_numpy(stack(row.frames).astype(np.float32))
                    found.append((inputs, torch.from_numpy(stack_labels(known[row.id]).astype(np.int64))))
    return found
