"""Pages and pictures of studies."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from matplotlib.figure import Figure
from PIL import Image

from ssl_asr.report.studies.compute_curve import HEIGHT, draw_curve, points_of, published_points
from ssl_asr.report.studies.markdown import sentence, studies_markdown, study_markdown
from ssl_asr.report.studies.pages import kept_results, write_pages, write_sheet
from ssl_asr.report.studies.plot import draw_study, panels_of
from ssl_asr.studies.outcome_file import outcome_in, to_json
from tests.studies.made_up import outcome, sheet, with_bytes, with_curve


def test_the_page_has_question_verdict_figures_and_origin() -> None:
    page = study_markdown(outcome(old=8, new=6), "order.png")
    assert page.startswith("# order: does it help?\n\nHypothesis, written before the runs: yes.\n")
    assert "| new against old | word errors | +23.5 | +21.1 | +22.3 |" in page
    assert "| old | student | 42.5 | 47.5 | 45.0 | 3.54 |" in page
    assert "![order](order.png)" in page
    assert "`ssl-asr experiment order`, 2026-11-27, commit abc1234, 2 cores, x86_64; 31 minutes of runs." in page
    assert "`old`: student.order=segregated; `new`: as it is." in page


def test_figures_of_stages_have_a_table_of_their_own() -> None:
    page = study_markdown(with_bytes(), "order.png")
    assert (
        "| new sends less | megabytes sent | +75.0 | +60.0 | +67.5 | -27.8 to +162.8 | >= 50 | can't tell |" in page
    )
    assert "| new | student | megabytes sent | 25 | 40 |" in page
    assert "new sends less:\n\n| test speech" not in page, "they have no conditions"
    assert "Other figures" not in study_markdown(outcome(), "order.png")
    assert "+67.5 % [-27.8, +162.8] less megabytes sent" in sentence(with_bytes().compared[1])


def test_the_sentence_tells_a_miss_as_a_miss() -> None:
    assert sentence(outcome(old=8, new=8, at_least=5).compared[0]) == (
        "new against old: not reproduced, +0.0 % [+0.0, +0.0] fewer word errors; at least 5 % were asked for."
    )


def test_a_difference_between_conditions_is_told_in_points_and_as_exploratory() -> None:
    made = outcome()
    asked = {"conditions": ("babble-10", "effects-10"), "beyond": ("clean",), "exploratory": True}
    later = replace(made.compared[0], comparison=made.compared[0].comparison.model_copy(update=asked))
    told = sentence(later)
    assert "exploratory, the reduction in babble-10, effects-10 less that in clean is +22.3 points [" in told
    assert told.endswith("; at least 10 points were asked for.")
    page = study_markdown(replace(made, compared=[later]), "order.png")
    assert ">= 10 points | reproduced (exploratory) |" in page
    assert "## Word errors by condition" not in page, "it has no errors by condition of its own"
    assert ">= 10 points | reproduced (exploratory) |" in studies_markdown([replace(made, compared=[later])])


def test_a_hypothesis_against_the_paper_is_told_beside_the_verdict() -> None:
    made = outcome()
    asked = made.compared[0].comparison.model_copy(update={"contrary": True})
    found = replace(made, compared=[replace(made.compared[0], comparison=asked)])
    assert "| reproduced (against the paper) |" in studies_markdown([found])
    assert "new against old: reproduced, against the paper, +22.3 % [" in study_markdown(found, "order.png")
    assert "(against" not in studies_markdown([made])


def test_the_table_has_a_line_for_each_claim_with_the_published_figure() -> None:
    table = studies_markdown([outcome(), outcome(old=8, new=8)])
    lines = [line for line in table.splitlines() if line.startswith("| new against old")]
    assert len(lines) == 2
    assert "| word errors | 10 to 22 % | +22.3 |" in lines[0]
    assert lines[0].endswith(
        "| reproduced | [order](order.md) | `ssl-asr experiment order` | abc1234 | 2 cores, x86_64 |"
    )


def test_the_curve_has_each_system_at_its_flops_a_second_and_the_published_point() -> None:
    found = with_curve()
    curve = found.study.compute_curve
    assert curve is not None
    (beside,) = points_of(found, ["old/student"])
    assert (beside.name, beside.mflops, beside.wer) == pytest.approx(("student", 110, 45))
    assert (beside.low, beside.high) == pytest.approx((45, 45)), "all speakers make as many errors"
    (published,) = published_points(curve, beside)
    assert (published.name, published.mflops, published.wer) == pytest.approx(("published: best", 44, 47.25))
    axis = Figure().subplots()
    draw_curve(axis, found, curve)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["student", "skipping"]
    assert {each.get_text() for each in axis.texts} == {"student", "published: best"}
    assert [round(float(each.lines[0].get_xdata()[0]), 6) for each in axis.containers] == [110, 45]


def test_the_curve_is_drawn_above_the_comparisons_and_of_former_outcomes_without_intervals() -> None:
    found = with_curve()
    plain = replace(found, study=found.study.model_copy(update={"compute_curve": None}))
    pictures = [Image.open(io.BytesIO(draw_study(each))) for each in (found, plain)]
    assert pictures[0].width == pictures[1].width
    assert pictures[0].height - pictures[1].height == pytest.approx(130 * HEIGHT, abs=2)
    assert outcome_in(json.loads(to_json(found)), "kept.json") == found
    values = json.loads(to_json(plain))
    values["study"].pop("compute_curve")
    values["errors"] = [{name: each[name] for name in ("variant", "system", "wer")} for each in values["errors"]]
    former = outcome_in(values, "kept.json")
    assert former.study.compute_curve is None
    (point,) = points_of(former, ["new/student"])
    assert point.low == point.wer == point.high


def test_comparisons_of_one_figure_in_one_unit_share_an_axis() -> None:
    words, sent = with_bytes().compared
    asked = words.comparison.model_copy(update={"conditions": ("room",), "beyond": ("clean",)})
    beyond = replace(words, comparison=asked)
    assert panels_of([words, sent, beyond, words]) == {
        "fewer word errors, %": [words, words],
        "less megabytes sent, %": [sent],
        "fewer word errors, points": [beyond],
    }


def test_the_picture_is_a_png_of_the_width_of_a_page() -> None:
    for found in (outcome(), with_bytes()):
        with Image.open(io.BytesIO(draw_study(found))) as picture:
            assert picture.format == "PNG"
            assert 900 < picture.width < 1200


def test_claims_of_a_benchmark_have_a_page_and_lines_in_the_table_of_all(tmp_path: Path) -> None:
    out = str(tmp_path)
    write_sheet(out, sheet())
    write_pages(out, outcome())
    with patch("ssl_asr.report.studies.pages.json.loads", wraps=json.loads) as parsed:
        assert kept_results(out) == ([outcome()], [sheet()])
    assert parsed.call_count == 2, "once a file"
    table = (tmp_path / "README.md").read_text()
    assert "| new against old | word errors |" in table
    assert (
        "| less unfair | variance | -7.9 % | +8.0 | +1.0 to +9.0 | >= 7.9 | reproduced | [gaps](gaps.md) "
        "| `python -m jobs.bench.gaps` | abc1234 | 2 cores, x86_64 |" in table
    )
    page = (tmp_path / "gaps.md").read_text()
    assert page.startswith("# gaps: is it fair?\n\nCriteria: it falls.\n\n| claim |")
    assert "`python -m jobs.bench.gaps`, 2026-11-28, commit abc1234" in page


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    for text, said in (
        ("{", "is no JSON"),
        ('{"claims": 1}', "no outcome of a benchmark"),
        ("{}", "of a study"),
        ("3", "of a study"),
    ):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(ValueError, match=rf"other\.json.*{said}"):
            kept_results(str(tmp_path))
