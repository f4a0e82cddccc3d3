"""Words of a decoded run: times, confidences and alternatives, with the files that hold them."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from ssl_asr.evaluation.stage import run_evaluate, todo_evaluate
from ssl_asr.evaluation.transcripts import read_transcripts
from ssl_asr.evaluation.word_quality import read_word_quality
from ssl_asr.recipe import Recipe
from ssl_asr.store.results_layout import (
    alternatives_folder,
    alternatives_uri,
    ctm_folder,
    ctm_uri,
    hypotheses_uri,
    words_uri,
)
from tests.in_process import placed_here
from tests.toy_run import FRAMES, toy_recipe


def without_lattices(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"lattices": False})})


@pytest.fixture
def decoded_run(decoded: Recipe, tmp_path: Path) -> Recipe:
    """A copy of the run, to change."""
    shutil.copytree(decoded.run, tmp_path / "run")
    return toy_recipe(tmp_path / "run")


def ctm(recipe: Recipe) -> list[list[str]]:
    return [line.split() for line in Path(ctm_uri(recipe.run, "student")).read_text().splitlines()]


def test_every_recognised_word_has_a_time_where_it_was_said(decoded):
    recipe = decoded
    lines = ctm(recipe)
    said = [each for each in read_transcripts(recipe.run, "student") if each.hypothesis]
    assert [line[4] for line in lines] == [
        word for each in sorted(said, key=lambda each: each.id) for word in each.hypothesis.split()
    ]
    assert lines == sorted(lines, key=lambda line: (line[0], float(line[2])))
    # "a cat sat" as it was made: silence, then phones of equal length.
    phone = FRAMES / 100
    (a, cat, sat) = [line for line in lines if line[0] == "bob0"]
    assert [float(each[2]) for each in (a, cat, sat)] == pytest.approx([phone, 2 * phone, 5 * phone], abs=0.06)
    assert float(cat[3]) == pytest.approx(3 * phone, abs=0.06)


def test_confidences_are_higher_where_the_network_hears_well(decoded):
    recipe = decoded
    by_condition: dict[str, list[float]] = {"clean": [], "room": []}
    for each in read_transcripts(recipe.run, "student"):
        assert len(each.confidences) == len(each.hypothesis.split())
        if each.id[:3] in ("bob", "joe"):
            by_condition[each.condition] += each.confidences
    clean, room = (sum(found) / len(found) for found in by_condition.values())
    assert 0.9 < clean <= 1
    assert room < clean
    assert [line[5] for line in ctm(recipe) if line[0] == "bob0"] == [
        f"{each:.3f}" for each in read_transcripts(recipe.run, "student")[0].confidences
    ]


def test_alternatives_are_different_sentences_the_best_first(decoded):
    recipe = decoded
    lines = [json.loads(line) for line in Path(alternatives_uri(recipe.run, "student")).read_text().splitlines()]
    assert [each["id"] for each in lines] == [each.id for each in read_transcripts(recipe.run, "student")]
    assert max(len(each["alternatives"]) for each in lines) > 3
    for each in lines:
        texts = [other["text"] for other in each["alternatives"]]
        chances = [other["log_probability"] for other in each["alternatives"]]
        assert len(set(texts)) == len(texts) <= 10
        assert chances == sorted(chances, reverse=True)
        assert all(chance < 0.01 for chance in chances)
    first = next(each for each in lines if each["id"] == "bob0")
    assert first["alternatives"][0]["text"] == "a cat sat"


def test_their_quality_is_measured(decoded):
    recipe = decoded
    quality = read_word_quality(recipe.run)
    assert set(quality) == {"baseline", "teacher", "student"}
    student = quality["student"]
    assert student.words == sum(
        len(each.hypothesis.split()) for each in read_transcripts(recipe.run, "student") if each.reference is not None
    )
    assert student.curve is None  # a few dev words are too few
    assert student.nce == pytest.approx(student.posterior_nce)
    assert sum(each.frames for each in student.bins) == student.words
    assert student.timed > 30
    assert student.start_difference < 0.03
    assert (student.narrowed, student.without_lattice, student.without_times) == (0, 0, 0)


def test_the_hypotheses_are_the_same_without_lattices_and_the_files_go(decoded_run):
    before = read_transcripts(decoded_run.run, "student")
    plain = without_lattices(decoded_run)
    (todo,) = todo_evaluate(plain, [])
    assert set(todo.because) >= {"evaluate.lattices"}
    with placed_here():
        run_evaluate(plain)
    assert [each.hypothesis for each in read_transcripts(plain.run, "student")] == [
        each.hypothesis for each in before
    ]
    assert '"confidences"' not in Path(hypotheses_uri(plain.run, "student")).read_text()
    for gone in (ctm_folder(plain.run), alternatives_folder(plain.run), words_uri(plain.run)):
        assert not Path(gone).exists()


def test_an_evaluation_that_is_killed_on_its_way_leaves_no_results(decoded_run, monkeypatch):
    """Its files of words are gone; back at the recipe of before, they must be made again."""
    before = ctm(decoded_run)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with placed_here(), monkeypatch.context() as patch:
        patch.setattr("ssl_asr.evaluation.stage.write_transcripts", killed)
        with pytest.raises(KeyboardInterrupt):
            run_evaluate(without_lattices(decoded_run))
    assert not Path(ctm_folder(decoded_run.run)).exists()
    assert todo_evaluate(decoded_run, []) != []
    with placed_here():
        run_evaluate(decoded_run)
    assert ctm(decoded_run) == before


def test_confidences_are_those_of_the_curve_that_dev_taught(confident):
    quality = read_word_quality(confident.run)["student"]
    assert quality.curve is not None
    assert quality.curve.slope > 0
    found = {
        each["id"]: each["words"]
        for path in Path(confident.run, "decoding").glob("*/student/kappa-*/test/*.json")
        for each in json.loads(path.read_text()).get("utterances", ())
    }
    changed = 0
    for said in read_transcripts(confident.run, "student"):
        words = found[said.id]
        assert len(said.confidences) == len(words)
        for word, confidence in zip(words, said.confidences, strict=True):
            odds = quality.curve.intercept + quality.curve.per_second * word["duration"]
            posterior = min(max(word["posterior"], 0.001), 0.999)
            odds += quality.curve.slope * math.log(posterior / (1 - posterior))
            assert confidence == pytest.approx(1 / (1 + math.exp(-odds)), abs=6e-4)
            changed += abs(confidence - word["posterior"]) > 0.01
    assert changed > 10
    by_utterance: dict[str, list[float]] = {}
    for name, *_, confidence in ctm(confident):
        by_utterance.setdefault(name, []).append(float(confidence))
    assert by_utterance == {
        said.id: list(said.confidences) for said in read_transcripts(confident.run, "student") if said.confidences
    }


def test_words_are_found_again_only_where_they_are_lost(decoded_run):
    kept = {
        path: path.stat().st_mtime_ns
        for path in Path(decoded_run.run, "decoding").glob("*/student/kappa-*/test/*.json")
    }
    lost = next(path for path in kept if '"utterances"' in path.read_text())
    quality = Path(words_uri(decoded_run.run)).read_text()
    for path in (lost, Path(decoded_run.run, "decoding", "results.json")):
        path.unlink()
    with placed_here():
        run_evaluate(decoded_run)
    assert {path for path, time in kept.items() if path.stat().st_mtime_ns != time} == {lost}
    without_time = [
        {name: {**each, "x_real_time": 0} for name, each in json.loads(text).items()}
        for text in (quality, Path(words_uri(decoded_run.run)).read_text())
    ]
    assert without_time[0] == without_time[1]
