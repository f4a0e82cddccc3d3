"""A stage by itself: refused where what it reads is not there or not up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, main
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime import pipeline
from ssl_asr.runtime.pipeline import (
    NAMES,
    STAGES,
    ancestors,
    first_missing,
    run_stage,
    todo_of,
    todos,
    wanted_stages,
)
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.store.layout import stage_report_uri


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that were run, none of which does anything."""
    asked: list[str] = []

    def function(stage: pipeline.Stage) -> object:
        return lambda recipe: asked.append(stage.name) or StageReport(stage.name, "key", 0.0, 0, 0, 0)

    monkeypatch.setattr(pipeline.Stage, "function", function)
    return asked


@pytest.mark.parametrize(
    ("stage", "override", "reads", "field"),
    [
        ("frontend", "corpus.test_conditions=[clean]", "corpus", "corpus.test_conditions"),
        ("hmm", "frontend.low_hz=40", "frontend", "frontend.low_hz, prior"),
        ("teacher", "hmm.senones=77", "hmm", "hmm.senones"),
        ("teacher", "seed=9", "corpus", "seed"),
        ("labelling", "teacher.network.layers=2", "teacher", "teacher.network.layers"),
        ("student", "labelling.k=6", "labelling", "labelling.k"),
        ("evaluate", "student.network.layers=2", "baseline", "student.network.layers"),
    ],
)
def test_a_stage_whose_inputs_are_not_up_to_date_is_refused(
    finished: Recipe, ran: list[str], stage: str, override: str, reads: str, field: str
) -> None:
    with pytest.raises(ValueError, match="not up to date") as refused:
        run_stage(stage, open_recipe(finished.run, [override]))
    assert str(refused.value) == (
        f"{stage} reads what {reads} writes, and {reads} is not up to date in {finished.run} (because of {field}); "
        f"run `ssl-asr {reads}` with the same recipe first, or `ssl-asr run` for all stages"
    )
    assert ran == []


@pytest.mark.parametrize(
    ("stage", "override"),
    [
        ("teacher", "corpus.test_conditions=[clean]"),  # it reads nothing of the test
        ("baseline", "labelling.k=6"),
        ("student", "student.network.layers=2"),  # its own
        ("corpus", "corpus.test_conditions=[clean]"),
        ("evaluate", "cluster.label_actors=[2, 3]"),
        ("report", "teacher.network.layers=2"),  # it draws what there is
    ],
)
def test_a_stage_whose_own_inputs_are_up_to_date_runs(
    finished: Recipe, ran: list[str], stage: str, override: str
) -> None:
    run_stage(stage, open_recipe(finished.run, [override]))
    assert ran == [stage]


def test_a_stage_before_that_never_finished_is_named_first(finished_run: Recipe, ran: list[str]) -> None:
    Path(stage_report_uri(finished_run.run, "hmm")).unlink()
    for stage in ("teacher", "evaluate"):
        with pytest.raises(ValueError, match=f"{stage} reads what hmm writes, and hmm is not done in"):
            run_stage(stage, finished_run)
    run_stage("hmm", finished_run)
    assert ran == ["hmm"]


def test_the_command_says_it_in_one_line(finished_run: Recipe, ran: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["teacher", finished_run.run, "hmm.senones=77"]) == FAILED
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "hmm is not up to date" in said
    assert "(because of hmm.senones)" in said
    assert ran == []


def test_what_is_to_be_made_names_its_stage(finished: Recipe) -> None:
    recipe = open_recipe(finished.run, ["hmm.senones=77"])
    found = todos(recipe)
    assert {todo.stage for todo in found} == {stage.name for stage in wanted_stages(recipe)} - {"corpus", "frontend"}
    assert todo_of("student", recipe) == [todo for todo in found if todo.stage == "student"]
    assert {each for name in NAMES for each in ancestors(name, recipe)} < {*NAMES}
    assert todos(finished) == []


LABELED_ALONE = tuple(f"transducers.{name}.unlabeled_passes=0" for name in ("rnnt", "conv-rnnt"))
OF_RANDOM_WEIGHTS = (*LABELED_ALONE, 'transducers.rnnt.encoder_from=""', "transducers.conv-rnnt.senone_passes=0")


@pytest.mark.parametrize(
    ("overrides", "read"),
    [
        ((), {"corpus", "frontend", "hmm", "realign", "teacher", "labelling", "student", "hypotheses"}),
        (
            (*OF_RANDOM_WEIGHTS[len(LABELED_ALONE) :], "hypotheses.teacher=transducer:runs/first/rnnt"),
            {"corpus", "frontend", "hypotheses"},
        ),
        (LABELED_ALONE, {"corpus", "frontend", "hmm", "realign", "teacher", "labelling", "student"}),
        (OF_RANDOM_WEIGHTS, {"corpus", "frontend"}),
        ((*OF_RANDOM_WEIGHTS, "hmm.wrong_texts=reject"), {"corpus", "frontend", "hmm", "realign"}),
        ((*OF_RANDOM_WEIGHTS, "transducers.rnnt.senone_passes=1"), {"corpus", "frontend", "hmm", "realign"}),
    ],
)
def test_transducers_need_what_their_sections_ask_for(overrides: tuple[str, ...], read: set[str]) -> None:
    assert ancestors("transducers", load_recipe("transducer-demo", overrides)) == read


@pytest.mark.parametrize(
    ("teacher", "read"),
    [
        ("teacher", {"hmm", "realign", "teacher"}),
        ("baseline", {"hmm", "realign", "baseline"}),
        ("student", {"hmm", "realign", "teacher", "labelling", "student"}),
        ("transducer:runs/first/rnnt", set()),
        ("ctm:words.ctm", set()),
    ],
)
def test_hypotheses_need_nobody_but_who_recognises(teacher: str, read: set[str], tmp_path: Path) -> None:
    recipe = load_recipe("transducer-demo", [f"run={tmp_path}", f"hypotheses.teacher={teacher}"])
    assert ancestors("hypotheses", recipe) == {"corpus", "frontend"} | read
    for name in ("corpus", "frontend"):
        StageClock(recipe, name, "key").finish(1, 0)
    assert first_missing("hypotheses", recipe) == ("hmm" if read else None)


def test_words_that_no_transducer_learns_are_not_asked_for(tmp_path: Path) -> None:
    learning = load_recipe("transducer-demo", [f"run={tmp_path}"])
    alone = load_recipe("transducer-demo", [f"run={tmp_path}", *LABELED_ALONE])
    for name in NAMES[: NAMES.index("hypotheses")]:
        StageClock(alone, name, "key").finish(1, 0)
    assert first_missing("transducers", learning) == first_missing("evaluate", learning) == "hypotheses"
    assert first_missing("transducers", alone) is None
    assert first_missing("evaluate", alone) == "transducers"


def test_every_stage_needs_only_earlier_ones():
    recipe = load_recipe("transducer-demo")
    for place, name in enumerate(NAMES):
        assert ancestors(name, recipe) <= set(NAMES[:place])
    assert ancestors("evaluate", recipe) == set(NAMES[: NAMES.index("evaluate")])


def test_every_stage_has_its_function():
    for stage in STAGES:
        assert callable(stage.function()), stage.name
        assert callable(stage.todo_function()), stage.name
