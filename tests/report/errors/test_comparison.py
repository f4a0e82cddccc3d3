"""The data of the page that compares two systems, and what the pages show of a decoded run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from ssl_asr.evaluation.results_file import read_results
from ssl_asr.report.errors import comparison
from ssl_asr.report.errors.analysis import analyse, worst
from ssl_asr.report.errors.comparison import Score, compare_systems, score
from ssl_asr.report.stage import run_report
from ssl_asr.store.results_layout import clip_uri, clips_folder, compare_page_uri, page_uri
from tests.report.errors.test_bands import SAID, said
from tests.report.test_page import Page


def test_words_letters_and_scores():
    found = json.loads(compare_systems(SAID, ("baseline", "student"), {"b": "b.flac"}).data)
    assert [each["name"] for each in found["systems"]] == ["baseline", "student"]
    row = ["b", 0, 0, 1, 4.0, "b.flac", "the cat", "=d", "the", [], "i=s", "oh the dog", []]
    assert found["utterances"][1] == row
    assert {"pair": ["baseline", "student"], "wins": 1, "losses": 2, "ties": 0} in found["scores"]
    assert score(SAID, "student", "baseline") == Score(2, 1, 0)


def test_confidences_are_those_of_the_recognised_words():
    utterance = said("x", "the cat sat", student="the dog")
    known = replace(utterance.systems["student"], confidences=(0.876, None))
    found = compare_systems([replace(utterance, systems={"student": known})], ("student",), {})
    assert json.loads(found.data)["utterances"][0][-3:] == ["=sd", "the dog", [88, None]]
    assert found.confidences
    assert not compare_systems([utterance], ("student",), {}).confidences


def test_words_can_not_end_the_script():
    odd = said("</script><b>", "<!-- a & b", student="</script>")
    data = compare_systems([odd], ("student",), {}).data
    assert "<" not in data
    assert json.loads(data)["utterances"][0][0] == "</script><b>"


def test_where_not_all_fit_the_most_different_do_and_scores_count_all(monkeypatch):
    alike = [said(f"x{n}", "a b c", baseline="a b", student="a c") for n in range(50)]
    monkeypatch.setattr(comparison, "BYTES", 1000)
    found = compare_systems([*alike, *SAID], ("baseline", "student"), {})
    data = json.loads(found.data)
    assert found.utterances == 53
    assert len(data["utterances"]) == found.shown < 30
    assert {"a", "b", "c"} <= {row[0] for row in data["utterances"]}
    assert data["scores"][0] == {"pair": ["baseline", "student"], "wins": 1, "losses": 2, "ties": 50}


def test_of_a_recording_in_several_conditions_the_worst_is_listed():
    copies = [said(name, "a b c", student=words) for name, words in (("r", "a b"), ("r@room", "a"), ("q", "a b c"))]
    assert [each.utterance.id for each in worst(copies, "student")] == ["r@room"]


def test_pages_of_a_decoded_run(reported):
    results = read_results(reported.run)
    analysis = analyse(reported, results)
    page = Page(Path(page_uri(reported.run)).read_text())
    assert "script" not in page.tags
    wrong = analysis.worst["student"][0]
    errors = wrong.systems["student"].edits
    assert f"{errors.errors} errors in {errors.words} words" in page.text
    assert "odd-unknown-word" in page.text
    assert "Not decoded: scores are not finite" in page.text
    assert "Word confidences and times" in page.text
    (each,) = [each for each in analysis.utterances if each.utterance.id == "odd-unknown-word"]
    judged = each.systems["student"].judged
    assert [pair.hypothesis for pair, _ in judged] == ["a", "cat", "sat"]
    assert min(confidence for _, confidence in judged) > 0.5
    clips = [name for name in page.fetched if name.startswith("audio/")]
    assert set(page.fetched) == {"compare.html", *clips}
    on_disk = {path.name for path in Path(clips_folder(reported.run)).iterdir()}
    assert {name.removeprefix("audio/") for name in clips} <= on_disk
    assert all(Path(clip_uri(reported.run, name)).stat().st_size > 1000 for name in on_disk)

    compared = Page(Path(compare_page_uri(reported.run)).read_text())
    assert compared.fetched == ["index.html"]
    assert "Small figures are confidences" in compared.text
    data = json.loads(compared.scripts[0])
    assert len(data["utterances"]) == results.row("student").utterances
    gain = next(each for each in data["scores"] if each["pair"] == ["baseline", "student"])
    assert gain["wins"] > 0
    assert gain["wins"] + gain["losses"] + gain["ties"] == len(data["utterances"])


def test_a_run_whose_audio_is_gone_is_drawn_without_players(reported, tmp_path):
    shutil.copytree(reported.run, tmp_path / "run")
    moved = reported.model_copy(update={"run": str(tmp_path / "run")})
    assert run_report(moved).figures["clips"] == 0
    page = Page(Path(page_uri(moved.run)).read_text())
    assert "audio" not in page.tags
    assert "have no player, because their audio can’t be read now: toy.wav" in page.text
    assert list(Path(clips_folder(moved.run)).iterdir()) == []
