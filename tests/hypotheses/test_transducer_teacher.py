"""A transducer of another run as the teacher: what it writes, what makes another set of words, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.frontend.prior import Prior, prior_inputs
from ssl_asr.frontend.stacking import stack
from ssl_asr.hypotheses.sets import can_be_made, hypothesis_set, model_of
from ssl_asr.hypotheses.stage import find_work, run_hypotheses, todo_hypotheses
from ssl_asr.hypotheses.transducer_job import TransducerJob
from ssl_asr.hypotheses.transducer_teacher import transducer_teacher
from ssl_asr.lang.word_pieces import train_word_pieces
from ssl_asr.recipe import LstmNetwork, NetworkSection, Recipe, SeparatorNetwork, load_recipe, parse_recipe
from ssl_asr.recipe.predictor import StatelessPredictor, TransducerSearch
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.runtime.stage_report import StageReport, read_rejects
from ssl_asr.runtime.todo import Todo
from ssl_asr.store import features, filesystem
from ssl_asr.store.layout import prior_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.data.run_sources import recognised_source, source_of_run
from ssl_asr.training.data.transcribed import TranscribedReader
from ssl_asr.transducer.model import TransducerModel, TransducerSpec
from ssl_asr.transducer.model_files import save_transducer
from ssl_asr.transducer.recognise import recognise
from ssl_asr.transducer.words import emitted_words
from ssl_asr.verifying import remade
from tests.hypotheses.conftest import CLEAN, COPIES, ODD, SPLIT, asking, contents, rows_of, sources
from tests.in_process import placed_here
from tests.toy_run import TEXT, toy_recipe
from tests.transducer.small import make_lively

INPUTS = 192
PIECES = train_word_pieces(TEXT, 16)
BEAM = 3


def random_model(seed: int = 0, inputs: int = INPUTS, network: NetworkSection | None = None) -> TransducerModel:
    torch.manual_seed(seed)
    network = network or LstmNetwork(layers=1, units=8, look_ahead=1)
    model = TransducerModel(TransducerSpec(network, StatelessPredictor(units=8), 9, inputs, len(PIECES))).eval()
    make_lively(model, torch.randn(100, inputs), silence=0.6)
    with torch.no_grad():
        model.joiner.output.bias[1] -= 99  # never a word that it doesn't know
    return model


def write_prior(recipe: Recipe) -> None:
    prior = Prior((0.0,) * recipe.frontend.mel_bins, 0.0, 1, prior_inputs(recipe))
    filesystem.write_bytes(prior_uri(recipe.run), prior.to_json())


def keep(run: Path, *overrides: str, **transducer: object) -> None:
    """Write a run's recipe, with a transducer, and its prior; `overrides` are of the other sections."""
    small = {"joiner": 9, "word_pieces": 16, "unlabeled_passes": 0, "search": {"beam": BEAM}, **transducer}
    save_recipe(parse_recipe(toy_recipe(run).model_dump(mode="json") | {"transducers": {"rnnt": small}}))
    recipe = open_recipe(str(run), overrides)
    save_recipe(recipe)
    write_prior(recipe)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Another run, of which nothing is there but a transducer and how its features were made."""
    run = tmp_path / "first"
    keep(run)
    save_transducer(model_uri(str(run), "rnnt"), random_model(), PIECES, {})
    return run


@pytest.fixture
def taught(own: Recipe, first: Path) -> Recipe:
    write_prior(own)
    return asking(own, teacher=f"transducer:{first}/rnnt")


def run_here(recipe: Recipe) -> StageReport:
    with placed_here():
        return run_hypotheses(recipe)


def test_words_are_those_of_its_search_with_the_frames_in_which_they_came(taught: Recipe) -> None:
    report = run_here(taught)
    model, heard = random_model(), ShardStore(taught.run, features.STORE)
    rows = {row.id: row for row in rows_of(taught)}
    found = 0
    for shard in sources(taught):
        for each in features.decode(heard.read(shard), 64):
            row, frames = rows[each.id], torch.from_numpy(stack(each.frames)).float()
            if each.id in {copy.id for copy in COPIES[:3]}:
                assert (row.num_frames, row.words) == (0, ())
            elif len(frames) and bool(torch.isfinite(frames).all()):
                ((best, *_),) = recognise(model, [frames], TransducerSearch(beam=BEAM))
                words = emitted_words(best, PIECES)
                assert [word.word for word in row.words] == [word.word for word in words]
                assert [(word.start, word.end) for word in row.words] == [
                    (word.first, word.last + 1) for word in words
                ]
                np.testing.assert_allclose(
                    [word.posterior or 0 for word in row.words], [word.confidence for word in words], atol=2e-4
                )
                assert (row.confidence is None) == (not words)
                found += len(words)
    assert report.figures["words"] == found > len(CLEAN)
    assert "wer" in report.figures
    (reject,) = read_rejects(taught, "hypotheses")
    assert (reject.id, rows[reject.id].words) == (ODD[0].id, ())
    assert reject.reason == "it can't be recognised: the model or its features hold NaN or infinite values"
    assert not Path(taught.run, "decoding").exists(), "it needs no graph"


def test_shards_backwards_by_one_job_have_the_same_bytes_and_none_is_made_twice(taught: Recipe) -> None:
    job = TransducerJob(taught, hypothesis_set(taught), transducer_teacher(taught))
    for shard in reversed(sources(taught)):
        job(shard)
    backwards = contents(taught)
    report = run_here(taught)
    assert (report.pieces, report.skipped) == (2, 2)
    assert contents(taught) == backwards
    assert todo_hypotheses(taught, []) == []
    assert todo_hypotheses(taught, [Todo("student", ("seed",), stage="student")]) == []


def test_transducers_learn_its_words(taught: Recipe) -> None:
    run_here(taught)
    name, source = recognised_source(taught, source_of_run(taught, SPLIT))
    reader = TranscribedReader(taught.run, 64, name)
    texts = {example.id: example.text for ref in source for example in reader.read("unlabeled", ref, 0)}
    said = {row.id: row.text for row in rows_of(taught) if row.text}
    assert said
    assert {key: text for key, text in texts.items() if key in said} == said


def test_another_model_or_beam_makes_another_set_and_another_place_does_not(taught: Recipe, first: Path) -> None:
    before = hypothesis_set(taught).id
    shutil.copytree(first, first.with_name("copy"))
    moved = asking(taught, teacher=f"transducer:{first.with_name('copy')}/rnnt")
    assert hypothesis_set(moved).id == before
    assert hypothesis_set(asking(taught, teacher=taught.hypotheses.teacher, beam=5)).id == before
    keep(first, search={"beam": 2})
    other = hypothesis_set(taught).id
    assert other.partition("-")[0] == before.partition("-")[0]
    save_transducer(model_uri(str(first), "rnnt"), random_model(1), PIECES, {})
    assert len({before, other, hypothesis_set(taught).id}) == 3


def test_its_search_takes_no_language_model_along(taught: Recipe, first: Path) -> None:
    """The text of its run's n-gram may hold what the unlabeled speech says."""
    before = hypothesis_set(taught).id
    keep(first, search={"beam": BEAM, "lm_weight": 0.3, "label_bonus": 1.0})
    assert transducer_teacher(taught).search == TransducerSearch(beam=BEAM)
    assert hypothesis_set(taught).id == before


def test_its_run_is_opened_once(taught: Recipe, first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        "ssl_asr.hypotheses.transducer_teacher.open_recipe", lambda run: opened.append(run) or open_recipe(run)
    )
    assert run_here(taught).skipped == 0
    assert opened == [str(first)]


def test_words_can_be_made_again_while_the_teacher_is_there(taught: Recipe, first: Path) -> None:
    def remade_words(labels: bool) -> bool:
        return hypothesis_store in [stage.store.name for stage in remade._stages(taught, labels=labels)]

    hypothesis_store = hypothesis_set(taught).store.name
    assert model_of(taught) == ""
    assert remade_words(labels=False)
    filesystem.delete(model_uri(str(first), "rnnt"))
    assert not can_be_made(taught)
    assert not remade_words(labels=True)


def test_features_made_in_another_way_are_refused(taught: Recipe, first: Path) -> None:
    keep(first, "frontend.energy_range_nats=7")
    with pytest.raises(ValueError, match=r"rnnt learned features of another frontend\.energy_range_nats than this"):
        run_here(taught)
    filesystem.delete(prior_uri(str(first)))
    with pytest.raises(ValueError, match=r"prior\.json is missing, which says how features were made"):
        run_here(taught)


def test_a_model_that_is_not_as_its_recipe_says_is_refused_before_any_actor(taught: Recipe, first: Path) -> None:
    uri = model_uri(str(first), "rnnt")
    separator = SeparatorNetwork(mixture_layers=1, separation_layers=1, recogniser_layers=1, units=6, width=5)
    for model, said in (
        (
            random_model(inputs=96),
            r"rnnt\.safetensors takes 96 values of a frame, and this run's front end makes 192",
        ),
        (random_model(network=separator), r"rnnt\.safetensors recognises conversations, as its recipe does no more"),
    ):
        save_transducer(uri, model, PIECES, {})
        with pytest.raises(ValueError, match=said):
            find_work(taught)
    filesystem.write_bytes(uri, b"no weights")
    with pytest.raises(ValueError, match=r"rnnt\.safetensors is not a whole weights file"):
        find_work(taught)


def test_what_is_no_such_transducer_is_refused(taught: Recipe, first: Path) -> None:
    def said(place: str) -> str:
        with pytest.raises(ValueError, match=r".") as error:
            run_here(asking(taught, teacher=f"transducer:{place}"))
        return str(error.value)

    assert said(f"{first}/conv") == (
        f"hypotheses.teacher=transducer:{first}/conv: {first} has no transducer conv; correct the name, or train it "
        "there first"
    )
    assert said(f"{first}-none/rnnt").startswith(f"there is no run at {first}-none;")
    assert said(f"{taught.run}/rnnt").endswith(
        "is of this run, which trains its transducers later; name one of another run"
    )
    keep(first, network={"kind": "separator"}, conversations={"turns": [1, 2]})
    assert said(f"{first}/rnnt").endswith("recognises conversations; name one that recognises single utterances")


@pytest.mark.parametrize("place", ["", "rnnt", "/rnnt", "runs/first/"])
def test_a_teacher_is_named_with_its_run(place: str) -> None:
    with pytest.raises(ValueError, match=r"use one of teacher, baseline, student, transducer:RUN/NAME, ctm:FILE"):
        load_recipe("demo", [f"hypotheses.teacher='transducer:{place}'"])
