"""The bundle in a run: made once, and again only when the run has changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.exporting.of_run import bundle_of


def test_a_run_has_a_bundle_of_its_student(toy_source: Recipe, tmp_path: Path) -> None:
    run, said = str(tmp_path / "run"), list[str]()
    shutil.copytree(toy_source.run, run)
    save_recipe(toy_source.model_copy(update={"run": run}))
    bundle = bundle_of(run, said.append)
    open_bundle(bundle).verify()
    assert bundle == f"{run}/bundle"
    assert said == [f"{run}/bundle is made of the run's student; this takes some minutes, once"]
    assert bundle_of(run, said.append) == bundle_of(bundle, said.append) == bundle
    assert len(said) == 1
    results = read_results(run)
    write_results(run, replace(results, kappa={**results.kappa, "student": 0.123}))
    bundle_of(run, said.append)
    assert open_bundle(bundle).description.scoring.acoustic_scale == 0.123
    assert len(said) == 2
    results = read_results(run)  # with another graph, or other settings of the search
    write_results(run, replace(results, inputs={**results.inputs, "language text": "another"}))
    bundle_of(run, said.append)
    assert bundle_of(run, said.append) == bundle
    assert len(said) == 3


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    assert bundle_of(str(tmp_path), pytest.fail) == str(tmp_path)
    assert bundle_of("nowhere", pytest.fail) == "nowhere"
