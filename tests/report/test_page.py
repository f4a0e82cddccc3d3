"""The page: whole, self-contained, careful in its claims, and of use while parts are missing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ssl_asr.evaluation.error_rates import ToplineShare
from ssl_asr.evaluation.results import TuningPoint
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.evaluation.transcripts import read_transcripts
from ssl_asr.evaluation.word_quality import read_word_quality
from ssl_asr.labelling.calibration_file import calibration_uri
from ssl_asr.recipe import Recipe
from ssl_asr.report.evidence import Evidence, gather
from ssl_asr.report.markdown import wer_markdown
from ssl_asr.report.page import render, summary
from ssl_asr.report.stage import run_report
from ssl_asr.store.results_layout import page_uri
from tests.report.example_run import example_recipe, example_results, fill, target_store

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects the text of a page, its tags and what it would fetch; fails on tags that don't nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and value and not value.startswith(("#", "data:")):
                self.fetched.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    recipe = example_recipe(tmp_path_factory.mktemp("example"))
    fill(recipe)
    return recipe


@pytest.fixture(scope="module")
def page(recipe) -> Page:
    report = run_report(recipe)
    assert report.pieces == 1
    return Page(Path(recipe.run, "report", "index.html").read_text())


@pytest.fixture(scope="module")
def evidence(recipe) -> Evidence:
    return gather(recipe)


def test_fetches_nothing(page):
    assert page.fetched == []
    assert "script" not in page.tags


def test_shows_every_part(page):
    # bars of 4 sets, of the headline and of all, reductions, 2 of the tuning, 3 curves, 3 histograms, reliability
    assert page.tags.count("svg") == 16
    for words in (
        "82.0",
        "77.5",
        "75.0",
        "+0.1 to +8.0 of 9",
        "drascula",
        "babble-10",
        "unlabeled",
        "joe-0001",
        "the audio holds no sample",
    ):
        assert words in page.text
    for words in ("learning rate", "frame accuracy", "bytes a 30 ms frame on disk", "look_ahead: 3", "2.60.0"):
        assert words in page.text
    assert "not available yet" not in page.text


def test_confidences_of_words_are_those_of_the_fitted_curve(confident, monkeypatch):
    monkeypatch.chdir(Path(confident.run).parent)
    run_report(confident)
    html = Path(page_uri(confident.run)).read_text()
    quality = read_word_quality(confident.run)
    assert quality["student"].curve is not None
    assert "Dev speech was too little for a curve of the SSL student" not in Page(html).text
    assert f"{quality['student'].nce:.2f}" in Page(html).text
    fitted = {
        f"{100 * confidence:.0f}"
        for system in quality
        for said in read_transcripts(confident.run, system)
        for confidence in said.confidences
    }
    shown = set(re.findall(r'<span class="sure">(\d+)</span>', html))
    assert len(shown) > 5
    assert shown <= fitted


def test_targets_by_condition_and_calibration(page, evidence):
    kept = evidence.target_conditions
    assert list(kept) == ["clean", "babble-10", "effects-10", "room"]
    assert kept["clean"].means()["kept_mass"] == pytest.approx(kept["room"].means()["kept_mass"] + 0.013)
    assert f"{100 * kept['room'].means()['kept_mass']:.2f}" in page.text
    by_frame = evidence.calibration.by_frame
    assert 0.02 < by_frame.expected_error < 0.08
    assert f"Expected calibration error {100 * by_frame.expected_error:.1f} % by frame" in page.text
    assert f"{by_frame.bins[4].frames:,}" in page.text


def test_a_run_without_calibration_says_who_measures_it(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    Path(calibration_uri(recipe)).unlink()
    page = Page(render(gather(recipe)))
    assert "ssl-asr labelling measures it if there is aligned dev speech" in page.text
    assert page.tags.count("svg") == 15


def test_the_tuning_on_dev_is_shown_with_its_choice(page):
    assert "in clean, babble-10, effects-10, room." in page.text
    assert "word error rate on dev, %" in page.text
    assert "teacher 0.35 (at the search's bound); SSL student 0.2, prior 0.75" in page.text


def test_a_topline_and_a_second_baseline_are_told(evidence):
    results = example_results()
    top = [replace(row, system="topline", wer=row.wer - 0.06) for row in results.rows if row.system == "student"]
    short = [replace(row, system="baseline-short") for row in results.dev if row.system == "baseline"]
    point = TuningPoint("baseline-short", 0.3, 1.0, 0.71)
    several = replace(
        results,
        rows=[*results.rows, *top],
        werr=[replace(each, topline_share=ToplineShare(0.43, 0.22, 0.61)) for each in results.werr],
        dev=[*results.dev, *short],
        kappa={**results.kappa, "baseline-short": 0.3},
        prior_scale={**results.prior_scale, "baseline-short": 1.0},
        tuning=[*results.tuning, point],
        models={"baseline": "baseline-short"},
    )
    text = Page(render(replace(evidence, results=several))).text
    assert "word error rate, topline" in text
    assert "43 %of the topline’s gain; 95 % interval 22 to 61" in text
    assert "43 [22, 61]" in text
    assert "Baseline: the shorter schedule, by word error rate on dev, %: 77.0 (short baseline) against 77.0" in text
    lines = wer_markdown(several).splitlines()
    assert "topline WER %" in lines[0]
    assert lines[-1].endswith("| 43 [22, 61] |")
    unclear = [replace(each, topline_share=ToplineShare()) for each in results.werr]
    lines = wer_markdown(replace(several, werr=unclear)).splitlines()
    assert lines[-1].endswith("| - |")
    assert (
        "of the topline’s gain; 95 %"
        not in Page(render(replace(evidence, results=replace(several, werr=unclear)))).text
    )


def test_drawings_have_their_own_names(page, recipe):
    html = Path(recipe.run, "report", "index.html").read_text()
    clips = re.findall(r'<clipPath id="([^"]+)"', html)
    assert len(clips) == len(set(clips)) > 0


def test_same_run_draws_the_same_page(page, recipe, evidence):
    assert render(evidence) == Path(recipe.run, "report", "index.html").read_text()


def test_the_stage_that_draws_the_page_is_not_told_as_undone(page):
    assert "not done yet" not in page.text
    assert "reportthis page" in page.text


def test_markdown_table(page, recipe):
    lines = Path(recipe.run, "report", "wer.md").read_text().splitlines()
    assert lines[0].startswith("| test speech | words | baseline WER %")
    assert lines[2].startswith("| bob + joe, clean | 1,200 | 68.0 [65.0, 71.0] |")
    assert lines[6].startswith("| **bob + joe** | 1,200 | 75.0 [72.0, 78.0] |")
    assert lines[6].endswith("| +6.0 [+1.8, +10.2] | 2 speakers |")
    assert [line.split(" | ")[0] for line in lines[7:11]] == [
        "| set bob",
        "| set joe",
        "| set asterisk (other channel)",
        "| set drascula (other channel)",
    ]
    assert lines[-1].startswith("| **everything** | 1,200 | 82.0 [80.8, 83.2] |")
    assert lines[-1].endswith("| [+0.1, +8.0] of 9 |")
    assert len(lines) == 2 + 5 + 4 + 1
    assert len({line.count("|") for line in lines}) == 1


def test_summary_says_where_the_interval_includes_zero(evidence):
    assert "On 1,200 spoken test words of bob + joe the student" in summary(evidence)
    assert "6.0 % fewer word errors" in summary(evidence)
    assert "includes zero" not in summary(evidence)
    results = example_results()
    head = replace(results.reduction(results.headline), werr=-0.01, low=-0.04, high=0.02)
    gains = [head if (each.set, each.condition) == (head.set, "all") else each for each in results.werr]
    weak = replace(evidence, results=replace(results, werr=gains))
    assert "1.0 % more word errors" in summary(weak)
    assert "it includes zero, so this run alone does not show a gain" in summary(weak)


def test_empty_run_says_which_stage_makes_what(tmp_path):
    recipe = example_recipe(tmp_path)
    run_report(recipe)
    text = Page((tmp_path / "report" / "index.html").read_text()).text
    for stage in ("corpus", "teacher", "labelling", "evaluate"):
        assert f"ssl-asr {stage}" in text
    assert not (tmp_path / "report" / "wer.md").exists()


def test_half_a_run_shows_what_there_is(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    for missing in ("decoding/results.json", "training/student/curve.jsonl", "stages/student.json"):
        (tmp_path / missing).unlink()
    (tmp_path / "corpus" / "source.txt").write_text("<script>alert(1)</script>")
    html = render(gather(recipe))
    assert "<script>alert" not in html
    page = Page(html)
    assert "The curve of the student is not available yet: ssl-asr student makes it." in page.text
    assert "Word error rates are not available yet: ssl-asr evaluate makes them." in page.text
    assert page.tags.count("svg") == 6


def test_one_condition_one_shard_one_block(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    results = read_results(recipe.run)
    only = [row for row in results.rows if row.set in ("bob", "all") and row.condition in ("clean", "all")]
    gains = [each for each in results.werr if each.set in ("bob", "all") and each.condition in ("clean", "all")]
    plain = {"headline": "all", "other_channels": []}
    write_results(recipe.run, replace(results, rows=only, werr=gains, frame_accuracy=[], **plain))
    curve = tmp_path / "training" / "student" / "curve.jsonl"
    curve.write_text(curve.read_text().splitlines()[0] + "\n")
    for path in sorted((tmp_path / "ledger" / target_store(recipe).name / "unlabeled").iterdir())[1:]:
        path.unlink()
    assert "svg" in Page(render(gather(recipe))).tags
