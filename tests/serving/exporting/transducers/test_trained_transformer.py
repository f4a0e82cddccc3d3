"""A Transformer with gates from its training to its bundle: what evaluation counts, the bundle says again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ssl_asr.cli.main import OK, main
from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Recipe, parse_recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.exporting.transducers.export import export_transducer
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.transducer.stage import run_transducers
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from ssl_asr.transducer.recognise import recognise
from ssl_asr.transducer.words import emitted_words
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training
from tests.training.transducer.test_gated_transducers import LEARNED, transducer
from tests.transducer.small import balance
from tests.transducer_bundle import frames_of


def test_its_words_are_those_of_evaluation(
    finished_run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gated = transducer({**LEARNED, "levels": "dual", "arbitrator": "ff"})
    recipe = parse_recipe(finished_run.model_dump(mode="json") | {"transducers": {"gated": gated}})
    save_recipe(recipe)
    samples = np.random.default_rng(5).normal(0, 0.1, 9600).astype(np.float32)
    frames = torch.from_numpy(frames_of(recipe, samples))
    with placed_here(), simulated_training():
        run_transducers(recipe)
        model, pieces, about = load_transducer(model_uri(recipe.run, "gated"))
        balance(model, frames, 0.5)  # it has learned too little to say a word
        save_transducer(model_uri(recipe.run, "gated"), model, pieces, about)
        run_evaluate(recipe)
    exported = export_transducer(recipe, "gated", tmp_path / "bundle", "test")
    assert exported.difference < 1e-4
    (evaluated,) = [each for each in read_results(recipe.run).transducers if each.name == "gated"]
    assert [_counts(row) for row in exported.rows] == [_counts(row) for row in evaluated.rows]

    assert isinstance(model.encoder, Transformer)
    keep = model.encoder.computed(model.normalise(frames[None]), torch.tensor([len(frames)])).keep
    ((best,),) = recognise(model, [frames], recipe.transducers["gated"].search)
    wanted = [each.word for each in emitted_words(best, pieces)]
    assert wanted
    assert 0 < keep.double().mean() < 1
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")
    assert main(["transcribe", str(tmp_path / "bundle"), str(tmp_path / "a.wav"), "--format", "json"]) == OK
    found = json.loads(capsys.readouterr().out)
    assert [word["word"] for each in found["segments"] for word in each["words"]] == wanted


def _counts(row: WordErrors) -> tuple[str, str, int, int, int, int]:
    return row.set, row.condition, row.words, row.insertions, row.deletions, row.substitutions
