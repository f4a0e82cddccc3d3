"""The page of a run with gated Transformers shows what they ran; the page of any other run says nothing of gates."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib import image

from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import NetworkSection, Recipe, parse_recipe
from ssl_asr.report.evidence import gather
from ssl_asr.report.gates import SECONDS, gates_of
from ssl_asr.report.page import render
from ssl_asr.store import features, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model import TransducerModel, TransducerSpec
from ssl_asr.transducer.model_files import save_transducer
from tests.lang.test_word_pieces import trained
from tests.report.test_page import Page
from tests.speakers.made_up import made_up_run

SMALL = {"kind": "transformer", "layers": 2, "heads": 2, "width": 8, "feed_forward": 8}
LEARNED = {"arbitrator": "ff", "units": 4, "layers": 1}
RANDOM = {"arbitrator": "random", "keep_rates": [0.9, 0.5, 0.2], "feed_forward": True}


def asked(recipe: Recipe, run: Path, gatings: dict[str, dict[str, Any] | None]) -> Recipe:
    """Of the run, in a folder of its own, with transducers of these gates."""
    shutil.copytree(recipe.run, run, dirs_exist_ok=True)
    transducers = {
        name: {
            "network": {**SMALL, "gating": gating},
            "unlabeled_passes": 0,
            "predictor": {"units": 4, "embedding": 3},
        }
        for name, gating in gatings.items()
    }
    return parse_recipe(recipe.model_dump(mode="json") | {"run": str(run), "transducers": transducers})


def made(recipe: Recipe, *names: str) -> None:
    """Transducers of the recipe, with random weights."""
    pieces = trained()
    for name in names:
        torch.manual_seed(0)
        settings = recipe.transducers[name]
        sizes = {"joiner": 4, "inputs": recipe.frontend.mel_bins * STACK, "outputs": len(pieces)}
        model = TransducerModel(TransducerSpec(settings.network, settings.predictor, **sizes))
        save_transducer(model_uri(recipe.run, name), model, pieces, {})


def test_a_picture_of_each_gated_transducer_with_what_was_said(feature_run: Recipe, tmp_path: Path) -> None:
    recipe = asked(feature_run, tmp_path, {"full": None, "light": LEARNED, "chance": RANDOM, "later": LEARNED})
    made(recipe, "full", "light", "chance")
    evidence = gather(recipe)
    assert evidence.gates is not None
    shown, models = evidence.gates.shown, evidence.gates.models
    assert list(models) == ["light", "chance"], "one has no gates, one is not trained yet"
    assert [each.learned for each in models.values()] == [True, False]
    assert {each.id for each in models.values()} == {shown.id}
    html = render(evidence)
    page = Page(html)
    assert page.fetched == []
    assert page.tags.count("img") == 2
    assert shown.text
    for words in (f"for one test utterance of {shown.seconds:.1f} s, {shown.id}: “{shown.text}”.", "What gates skip"):
        assert words in page.text
    share = round(100 * models["chance"].share)
    assert f"random gates; {share} % of the operations of the same network without gates" in page.text
    for png in re.findall('src="data:image/png;base64,([^"]+)"', html):
        assert image.imread(io.BytesIO(base64.b64decode(png)), format="png").shape[1] > 900
        assert len(png) < 400_000
    assert render(gather(recipe)) == html


def test_the_utterance_is_of_test_as_recorded_and_of_a_length_to_look_at(feature_run: Recipe, tmp_path: Path) -> None:
    recipe = asked(feature_run, tmp_path, {"light": LEARNED})
    made(recipe, "light")
    found = gates_of(recipe)
    assert found is not None
    first = ShardStore(recipe.run, utterance.STORE).shards("test")[0]
    said = {each.id: each for each in utterance.decode(ShardStore(recipe.run, utterance.STORE).read(first))}
    assert said[found.shown.id].condition == "clean"
    rows = features.decode(ShardStore(recipe.run, features.STORE).read_slab(first, 0), recipe.frontend.mel_bins)
    seconds = [len(row.frames) / 100 for row in rows if said[row.id].condition == "clean"]
    assert abs(found.shown.seconds - SECONDS) == pytest.approx(min(abs(each - SECONDS) for each in seconds))


def test_a_student_with_gates_has_a_picture_too(feature_run: Recipe, tmp_path: Path) -> None:
    recipe = asked(feature_run, tmp_path, {})
    gated = parse_recipe(recipe.model_dump(mode="json") | {"student": {"network": {**SMALL, "gating": LEARNED}}})
    network: NetworkSection = gated.student.network
    model = AcousticModel(ModelSpec(network, recipe.frontend.mel_bins * STACK, 9))
    assert isinstance(model.encoder, Transformer)
    save_model(model_uri(recipe.run, "student"), model, {})
    found = gates_of(gated)
    assert found is not None
    assert list(found.models) == ["student"]
    assert gates_of(recipe) is None, "the recipe has a student without gates"


def test_what_smbr_made_of_a_student_has_a_picture_of_its_own(tmp_path: Path) -> None:
    recipe = made_up_run(tmp_path)
    student = {"network": {**SMALL, "gating": LEARNED}, "sequence": {"epochs": 1}}
    gated = parse_recipe(recipe.model_dump(mode="json") | {"student": student})
    model = AcousticModel(ModelSpec(gated.student.network, recipe.frontend.mel_bins * STACK, 9))
    for name, shown in (("student", ["student"]), ("student-smbr", ["student", "student-smbr"])):
        save_model(model_uri(recipe.run, name), model, {})
        found = gates_of(gated)
        assert found is not None
        assert list(found.models) == shown


def test_a_run_without_gates_has_no_such_part(feature_run: Recipe, tmp_path: Path) -> None:
    recipe = asked(feature_run, tmp_path, {"full": None, "light": LEARNED})
    made(recipe, "full")
    plain = asked(feature_run, tmp_path, {"full": None})
    for each in (recipe, plain):
        html = render(gather(each))
        assert "What gates skip" not in html
        assert "img" not in Page(html).tags
    # Trained by a former recipe, without gates: it will be drawn once it is trained again.
    ungated = asked(feature_run, tmp_path, {"light": None})
    made(ungated, "light")
    assert gates_of(recipe) is None
