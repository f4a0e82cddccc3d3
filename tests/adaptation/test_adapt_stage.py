"""Adapting the student of a small run to the south, without Ray: every method, what is told, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.adaptation.cohort import cohort_finder, read_cohorts
from ssl_asr.adaptation.jobs import Adaptation, adapting_job
from ssl_asr.adaptation.measures import FIGURES
from ssl_asr.adaptation.plan import plan_of
from ssl_asr.adaptation.progress import progress_of
from ssl_asr.adaptation.scoring import check_dev
from ssl_asr.adaptation.speech import CohortReader, find_speech
from ssl_asr.adaptation.stage import Wanted, plan_adapt, run_adapt
from ssl_asr.adaptation.table import format_adapted
from ssl_asr.evaluation.inputs import references
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.cohort_input import CohortInput
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import METHODS, Method, Recipe
from ssl_asr.report.status import adaptation_lines
from ssl_asr.store import utterance
from ssl_asr.store.results_layout import adapted_uri, cohorts_folder
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.acoustic_plan import job_of
from ssl_asr.training.job import build_model
from ssl_asr.verifying.training_check import check_training
from tests.adaptation.adaptable_run import SPEAKERS, adaptable, copied
from tests.finished_run import SECONDS, contents


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Not to be changed."""
    return adaptable(tmp_path_factory.mktemp("adaptable"))


@pytest.fixture
def recipe(made: Recipe, tmp_path: Path) -> Iterator[Recipe]:
    with copied(made, tmp_path) as recipe:
        yield recipe


def wanted(recipe: Recipe, method: Method = "finetune", cohort: str = "south", model: str = "student") -> Wanted:
    return Wanted(cohort, method, model, cohorts_folder(recipe.run))


def weights(recipe: Recipe, name: str) -> torch.Tensor:
    model, _ = load_model(model_uri(recipe.run, name))
    return torch.cat([each.detach().flatten() for each in model.parameters()])


def work_of(recipe: Recipe, method: Method) -> Adaptation:
    plan = plan_of(recipe, "student")
    cohort_of = cohort_finder(read_cohorts(recipe.run, cohorts_folder(recipe.run)))
    speech = find_speech(recipe.run, ["labeled", "unlabeled"], cohort_of, ("south",))
    return Adaptation(recipe, plan, "tag:region", ("south",), speech, method)


def test_every_method_makes_models_that_are_compared_and_kept(recipe: Recipe) -> None:
    found = {method: run_adapt(recipe, wanted(recipe, method)) for method in METHODS}
    for method, results in found.items():
        assert results.speakers == SPEAKERS["labeled"] + SPEAKERS["unlabeled"]
        assert [each.name for each in results.changes][: len(FIGURES)] == [*FIGURES]
        assert {each.name for each in results.changes} - {*FIGURES} == {"north", "south"}
        assert results.sweep[0].strength is None
        assert json.loads(Path(adapted_uri(recipe.run, results.name)).read_text())["method"] == method
        assert "north" in format_adapted(results)
        assert "test-south" not in format_adapted(results)  # no speaker is named
    before, tuned = weights(recipe, "student"), weights(recipe, found["finetune"].system)
    assert not torch.equal(before, tuned)
    free, held = (weights(recipe, f"{found['ewc'].name}-{strength}") for strength in (0, 10))
    assert torch.equal(free, tuned)  # strength 0 is fine-tuning, bit for bit
    assert not torch.equal(held, tuned)
    torch.testing.assert_close(weights(recipe, found["average"].system), (before + tuned) / 2)
    audited = check_training(recipe.run)
    assert not audited.findings
    assert sum("adapted-" in line for line in audited.trained) == 7
    stamps = {file: file.stat().st_mtime_ns for file in Path(recipe.run, "models").iterdir()}
    assert run_adapt(recipe, wanted(recipe, "ewc")) == found["ewc"]
    assert stamps == {file: file.stat().st_mtime_ns for file in Path(recipe.run, "models").iterdir()}


def test_a_dry_run_tells_what_is_left_and_writes_nothing(recipe: Recipe) -> None:
    before = contents(recipe.run)
    plan = plan_adapt(recipe, wanted(recipe, "ewc"))
    rows = progress_of(recipe.run, plan)
    assert [each.name for each in plan.trainings] == [f"{plan.name}-0", f"{plan.name}-10"]
    assert {each.state for each in rows} == {"waiting"}
    seconds = 2 * (SPEAKERS["labeled"] + SPEAKERS["unlabeled"]) * SECONDS  # two passes
    assert all(each.hours == pytest.approx(seconds / 3600, rel=0.05) for each in rows)
    assert contents(recipe.run) == before
    assert adaptation_lines(recipe) == []
    run_adapt(recipe, wanted(recipe, "ewc"))
    assert plan_adapt(recipe, wanted(recipe, "ewc")) == plan
    assert {each.state for each in progress_of(recipe.run, plan)} == {"done"}
    (line,) = adaptation_lines(recipe)
    assert line.split()[:4] == ["adapt", "done", "2/2", "trainings"]
    assert plan.name in line
    Path(model_uri(recipe.run, plan.trainings[1].name)).unlink()
    assert adaptation_lines(recipe)[0].split()[:3] == ["adapt", "begun", "1/2"]


def test_it_trains_on_the_cohort_alone_and_on_no_dev_or_test_speech(recipe: Recipe) -> None:
    for method in ("finetune", "replay", "oversample"):
        job = adapting_job(work_of(recipe, method), 2.0 if method == "oversample" else 0.5)
        assert isinstance(job.reader, CohortReader)
        for source in job.sources:
            refs = [source.at(place) for place in range(len(source))]
            heard = {each.speaker for ref in refs for each in job.reader.read(source.name, ref, 0)}
            assert heard
            assert not any(name.startswith(("dev", "test")) for name in heard)
            assert all("south" in name for name in heard) or not source.name.startswith("cohort-")
        shares = {phase.source: 0 for phase in job.schedule}
        for phase in job.schedule:
            shares[phase.source] += phase.count
        assert {*shares} == {source.name for source in job.sources}


def test_an_embedding_begins_as_the_student_and_is_told_the_cohorts_of_all_speakers(recipe: Recipe) -> None:
    work = work_of(recipe, "embedding")
    job, control = (adapting_job(work, dimensions) for dimensions in (2.0, 0.0))
    first, student = build_model(job), load_model(model_uri(recipe.run, "student"))[0]
    assert isinstance(first, AcousticModel)
    assert first.spec.cohorts == CohortInput(("north", "south"), 2)
    ref = job.sources[0].at(0)
    heard = job.reader.read("labeled", replace(ref, sweep=None), 0)  # in a pass, some are unknown
    assert heard
    assert all(each.cohort == (1 if "north" in each.speaker else 2) for each in heard)
    frames = [torch.from_numpy(each.frames.astype("float32")) for each in job.reader.read("labeled", ref, 0)]
    for number in range(3):
        found = first.eval().logits(frames, [number] * len(frames))
        assert all(torch.equal(one, two) for one, two in zip(found, student.logits(frames), strict=True))
    assert control.spec == student.spec
    assert control.schedule == job.schedule
    assert not any(phase.source.startswith("cohort-") for phase in job.schedule)
    assert not work.takes_cohorts(control.name)


def test_of_an_embedding_it_is_told_what_it_is_worth_where_no_cohort_is_known(recipe: Recipe) -> None:
    results = run_adapt(recipe, wanted(recipe, "embedding"))
    assert results.unknown is not None
    assert [each.before for each in results.unknown] == [each.before for each in results.changes]
    assert "no cohort known" in format_adapted(results)
    assert results.system.endswith("-2")
    model, _ = load_model(model_uri(recipe.run, results.system))
    assert model.cohorts is not None
    assert model.cohorts.weight[1:].all()
    assert not model.cohorts.weight[0].any()


def test_oversampling_begins_with_the_random_weights_of_the_student(recipe: Recipe) -> None:
    work = work_of(recipe, "oversample")
    student, job = job_of(recipe, work.plan), adapting_job(work, 2.0)
    assert job.start is None
    first, again = (build_model(each).state_dict() for each in (student, job))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = build_model(replace(job, drawn_as=None)).state_dict()
    assert not torch.equal(first["senones.weight"], other["senones.weight"])


def test_a_student_that_learned_with_an_adversary_is_held_too(tmp_path: Path) -> None:
    """The adversary is no part of the model, so it begins anew, and no weight of its own is held."""
    made = adaptable(tmp_path, {"labeled_objective": {"kind": "adversarial-cross-entropy"}})
    with copied(made, tmp_path / "copy") as recipe:
        name = run_adapt(recipe, wanted(recipe, "ewc")).name
        tuned = run_adapt(recipe, wanted(recipe)).system
        before, free, held, tuned = (weights(recipe, each) for each in ("student", f"{name}-0", f"{name}-10", tuned))
        assert torch.equal(free, tuned)
        assert (held - before).norm() < (free - before).norm()


def test_other_inputs_train_anew(recipe: Recipe) -> None:
    work = work_of(recipe, "ewc")
    other = recipe.model_copy(update={"adapt": recipe.adapt.model_copy(update={"passes": 7})})
    assert replace(work, recipe=other).inputs_at(1.0) != work.inputs_at(1.0) != work.inputs_at(2.0)
    more = recipe.model_copy(update={"adapt": recipe.adapt.model_copy(update={"lambdas": (0.0, 5.0)})})
    assert replace(work, recipe=more).inputs_at(1.0) == work.inputs_at(1.0)


def one_of_the_north(recipe: Recipe) -> str:
    """A run like it whose labeled speech has one speaker of the north."""
    store = ShardStore(recipe.run, utterance.STORE)
    for entry in store.entries("labeled"):
        slabs = [
            [replace(each, tags={}) if each.speaker.endswith("north-1") else each for each in utterance.decode(table)]
            for table in store.read_slabs(entry.shard)
        ]
        tables = [utterance.encode(slab) for slab in slabs]
        parents = dict(entry.parents)
        store.publish(
            entry.shard, utterance.SCHEMA, tables, entry.slabs, seconds=entry.seconds, parents=parents, metadata={}
        )
    return recipe.run


def refused(recipe: Recipe, asked: Wanted) -> str:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as found:
        run_adapt(recipe, asked)
    return str(found.value)


def test_what_is_missing_is_one_sentence(recipe: Recipe, tmp_path: Path) -> None:
    assert refused(recipe, wanted(recipe, cohort="west")).startswith("there is no cohort 'west'; by tag:region there")
    assert "trains by cross-entropy" in refused(recipe, wanted(recipe, model="student-smbr"))
    assert "no cohorts are found yet" in refused(recipe, replace(wanted(recipe), folder=str(tmp_path)))
    assert "has no such training" in refused(recipe, wanted(recipe, "oversample", model="baseline"))
    cohort_of = cohort_finder(read_cohorts(recipe.run, cohorts_folder(recipe.run)))
    with pytest.raises(ValueError, match="no utterance of labeled or unlabeled is of the cohort east"):
        find_speech(recipe.run, ["labeled", "unlabeled"], cohort_of, ("east",))
    with pytest.raises(ValueError, match="has one speaker in the training speech"):
        find_speech(one_of_the_north(recipe), ["labeled"], cohort_of, ("north",))
    with pytest.raises(ValueError, match="dev has less than 2 speakers of east, so it can't choose"):
        check_dev(references(recipe, "dev"), cohort_of, ("east",))
    file = Path(cohorts_folder(recipe.run), "cohorts.json")
    kept = file.read_text()
    file.write_text(kept.replace('"speakers": 12', '"speakers": 13'))
    assert "were found among 13 speakers, and the test split has 12" in refused(recipe, wanted(recipe))
    file.write_text(kept.replace("tag:region", "embeddings:x.npz"))
    assert "known of the test speakers alone" in refused(recipe, wanted(recipe))
    file.write_text("{}")
    assert "is no result of `ssl-asr cohorts`" in refused(recipe, wanted(recipe))
