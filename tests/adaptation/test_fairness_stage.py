"""The fairness stage on a small run, without Ray: what it makes, keeps and makes again, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ssl_asr.adaptation.fairness_stage import run_fairness, todo_fairness
from ssl_asr.adaptation.found import Found, adapted_rows, cohort_rows, format_found, note_of, read_found
from ssl_asr.adaptation.measures import FIGURES
from ssl_asr.adaptation.results_file import read_adapted
from ssl_asr.recipe import Recipe, load_recipe, parse_recipe
from ssl_asr.report.fairness import fairness_tables, write_fairness_pages
from ssl_asr.runtime.pipeline import NAMES, wanted_stages
from ssl_asr.runtime.todo import NOT_THERE, RESULTS, Todo
from ssl_asr.store.results_layout import adapted_uri, cohorts_uri, found_folder
from ssl_asr.store.training_layout import model_uri
from tests.adaptation.adaptable_run import adaptable, copied
from tests.in_process import placed_here

FAIRNESS = {"by": ["tag:region"], "methods": ["average", "ewc"], "least_words": 1, "least_speakers": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Not to be changed; its fairness stage is done."""
    recipe = adaptable(tmp_path_factory.mktemp("adaptable"))
    recipe = parse_recipe({**recipe.model_dump(mode="json"), "fairness": FAIRNESS})
    with placed_here():
        report = run_fairness(recipe)
    assert (report.pieces, report.skipped) == (3, 0)
    assert "gap by tag:region" in report.line()
    return recipe


@pytest.fixture
def recipe(made: Recipe, tmp_path: Path) -> Iterator[Recipe]:
    with copied(made, tmp_path) as recipe:
        yield recipe


def changed(recipe: Recipe, **fairness: object) -> Recipe:
    return parse_recipe({**recipe.model_dump(mode="json"), "fairness": {**FAIRNESS, **fairness}})


def test_it_finds_the_south_and_adapts_the_student_to_it(made: Recipe) -> None:
    found = read_found(made)
    (cohorts,) = found.cohorts
    assert [each.name for each in cohorts.cohorts if each.bottom] == ["south"]
    assert [each.method for each in found.adapted] == ["average", "ewc"]
    assert all(each.cohorts == ["south"] and each.model == "student" for each in found.adapted)
    assert cohort_rows(found)[1][0] == "tag:region"
    titles, before, *after = adapted_rows(found)
    assert titles[2:] == [*FIGURES]
    assert [row[0] for row in (before, *after)] == ["before", "average, difference", "ewc, difference"]
    assert {len(row) for row in (titles, before, *after)} == {len(titles)}
    text = format_found(found)
    assert "tag:region" in text
    assert "test-south" not in text  # no speaker is named
    assert format_found(Found()) == ""


def test_a_second_time_nothing_is_made(recipe: Recipe) -> None:
    # The copy is of another place, and the same in all that counts.
    assert todo_fairness(recipe, []) == []
    stamps = {file: file.stat().st_mtime_ns for file in Path(recipe.run, "models").iterdir()}
    report = run_fairness(recipe)
    assert report.skipped == report.pieces == 3
    assert stamps == {file: file.stat().st_mtime_ns for file in Path(recipe.run, "models").iterdir()}


def test_what_differs_or_is_lost_is_made_again(recipe: Recipe) -> None:
    (other,) = todo_fairness(changed(recipe, least_words=2), [])
    assert (other.product, other.because) == ("cohorts", ("fairness.least_words",))
    more = parse_recipe({**recipe.model_dump(mode="json"), "adapt": {"passes": 9}})
    assert "adapt.passes" in todo_fairness(more, [])[0].because
    searched = changed(recipe, methods=[])
    assert "fairness.methods" in todo_fairness(searched, [])[0].because
    (after,) = todo_fairness(recipe, [Todo(RESULTS, ("seed",), stage="evaluate")])
    assert (after.because, after.after) == (("seed",), "evaluate")
    (adapted, _) = read_found(recipe).adapted
    model, results = Path(model_uri(recipe.run, adapted.system)), Path(adapted_uri(recipe.run, adapted.name))
    weights = model.read_bytes()
    for lost in (model, results):
        lost.unlink()
        assert todo_fairness(recipe, [])[0].because == (NOT_THERE,)
        run_fairness(recipe)
        assert todo_fairness(recipe, []) == []
    assert model.read_bytes() == weights
    results.write_text("{")
    with pytest.raises(ValueError, match="is damaged; delete it"):
        read_adapted(recipe.run, adapted.name)
    Path(cohorts_uri(found_folder(recipe.run, "tag:region"))).write_text("{")
    assert todo_fairness(recipe, [])[0].because == (NOT_THERE,)


def test_the_report_has_pages_of_all_that_was_found(recipe: Recipe) -> None:
    found = read_found(recipe)
    write_fairness_pages(recipe, found)
    cohorts, adapted = fairness_tables(recipe, found)
    links = [row.link for table in (cohorts, adapted) for row in table.rows]
    assert links[0] == "cohorts/tag-region/cohorts.html"
    assert links[1] == ""  # the student before
    assert len(links) == 4
    assert all(Path(recipe.run, "report", link).is_file() for link in links if link)
    assert fairness_tables(recipe, Found()) == []


def test_speech_that_can_not_be_divided_is_refused_by_the_key(recipe: Recipe) -> None:
    with pytest.raises(ValueError, match=r"^fairness.by=tag:shoe: no utterance of .* has the tag 'shoe'; there are"):
        run_fairness(changed(recipe, by=["tag:shoe"]))
    with pytest.raises(ValueError, match=r"^fairness.by=geo: no utterance of .* has the tags latitude and longitude"):
        run_fairness(changed(recipe, by=["geo"]))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("by=[place]", "'place' divides no speakers; use geo, tag:NAME, voices or voices:NAME"),
        ("by=[embeddings:a.npz]", "divides no speakers"),
        ("by=[geo, geo]", "by has a value twice"),
        ("methods=[ewc]", "say how to find them, such as by=[geo]"),
        ("methods=[ewk]", "did you mean 'ewc'"),
        ("least_speakers=1", "greater than or equal to 2"),
    ],
)
def test_a_section_that_can_not_be_done_is_refused_before_any_work(section: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"fairness") as refused:
        load_recipe("demo", [f"fairness.{section}"])
    assert said in str(refused.value)


def test_it_is_a_stage_where_the_recipe_asks_for_it() -> None:
    assert "fairness" not in [stage.name for stage in wanted_stages(load_recipe("demo"))]
    names = [stage.name for stage in wanted_stages(load_recipe("demo", ["fairness.by=[geo]"]))]
    assert names[-3:] == ["evaluate", "fairness", "report"]
    assert NAMES.index("fairness") == NAMES.index("report") - 1


def test_folders_of_cohorts_differ_as_their_tags_do() -> None:
    ways = ["geo", "voices", "voices:own", "tag:a b", "tag:a_b", "tag:a/b", "tag:voices"]
    folders = [found_folder("/run", by) for by in ways]
    assert len({*folders}) == len(ways)
    assert all(folder.rpartition("/")[0] == "/run/report/cohorts" for folder in folders)


def test_a_search_that_finds_nothing_is_told_and_the_others_go_on(recipe: Recipe) -> None:
    more = changed(recipe, by=["tag:region", "tag:shoe"])
    report = run_fairness(more)
    assert "the tag 'shoe'" in report.line()
    assert (report.pieces, todo_fairness(more, [])) == (4, [])
    found = read_found(more)
    assert ([*found.by], [*found.nothing]) == (["tag:region"], ["tag:shoe"])
    assert "By tag:shoe no cohorts were found" in " ".join(format_found(found).split())
    alone = changed(recipe, by=["tag:shoe"], methods=[])
    assert run_fairness(alone).pieces == 1
    assert fairness_tables(alone, read_found(alone)) == []
    assert "By tag:shoe" in note_of(read_found(alone))
