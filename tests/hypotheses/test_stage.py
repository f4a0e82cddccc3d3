"""The hypotheses stage: what it tells, what it skips, what it refuses, and what it does with damage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ssl_asr.hypotheses.figures import word_errors
from ssl_asr.hypotheses.job import HypothesisJob
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses, todo_hypotheses
from ssl_asr.models.model_files import load_model, save_model
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.stage_report import read_rejects, read_report
from ssl_asr.runtime.todo import Todo
from ssl_asr.store import features, filesystem
from ssl_asr.store.corpus_layout import sentences_uri
from ssl_asr.store.results_layout import hypotheses_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from tests.hypotheses.conftest import ALONE, CLEAN, SPLIT, asking, contents, copied, rows_of, sources
from tests.in_process import placed_here
from tests.toy_run import TEXT

WORDS = sum(len(each.text.split()) for each in (*CLEAN, ALONE))


def run_here(recipe: Recipe):
    with placed_here():
        return run_hypotheses(recipe)


def test_a_report_tells_how_much_was_recognised_and_how_well(recognised: Recipe) -> None:
    report = read_report(recognised, "hypotheses")
    assert (report.pieces, report.skipped, report.rejected) == (2, 0, 1)
    assert report.key == hypothesis_set(recognised).id
    figures = report.figures
    assert figures["words"] == WORDS
    assert figures["without_words"] == "30.0%"  # 3 of 10
    assert 0.5 < figures["confidence"] <= 1
    assert figures["wer"] == f"{3 / (WORDS + 3):.1%}"  # the three words that were not finite; copies don't count
    assert [reject.id for reject in read_rejects(recognised, "hypotheses")] == ["odd-nan"]
    assert not filesystem.exists(hypotheses_uri(recognised.run, "student"))


def test_without_texts_no_errors_are_told(own: Recipe) -> None:
    for entry in (store := ShardStore(own.run, "manifest")).entries(SPLIT):
        none = dataclasses.replace(entry, statistics={**entry.statistics, "texts": 0.0})
        filesystem.write_bytes(store.ledger_uri(entry.shard), none.to_json())
    assert "wer" not in run_here(own).figures
    assert word_errors(hypothesis_set(own).store).words == 0


def test_what_is_done_is_skipped(recognised: Recipe, tmp_path: Path) -> None:
    recipe = copied(recognised, tmp_path / "run")
    before = {file: file.stat().st_mtime_ns for file in Path(recipe.run, "pseudo-labels").rglob("*.parquet")}
    report = run_here(recipe)
    assert report.skipped == report.pieces == len(before) == 2
    assert report.figures == read_report(recognised, "hypotheses").figures
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert todo_hypotheses(recipe, []) == []


def test_a_stage_that_was_killed_goes_on_and_its_leftovers_go(own: Recipe, recognised: Recipe) -> None:
    made = hypothesis_set(own)
    run_here(own)
    last = sources(own)[1]
    filesystem.delete(made.store.ledger_uri(last))  # as if killed between a shard's file and its entry
    leftover = Path(made.store.uri(last) + ".tmp-0123abcd")
    leftover.write_bytes(b"half a shard of a dead writer")
    report = run_here(own)
    assert (report.pieces, report.skipped) == (2, 1)
    assert not leftover.exists()
    assert contents(own) == contents(recognised)


def test_only_shards_with_new_features_are_recognised_again(recognised: Recipe, tmp_path: Path) -> None:
    recipe = copied(recognised, tmp_path / "run")
    store, stale = hypothesis_set(recipe).store, sources(recipe)[1]
    of_old = dataclasses.replace(store.entry(stale), parents={**store.entry(stale).parents, "features": "old"})
    filesystem.write_bytes(store.ledger_uri(stale), of_old.to_json())
    assert todo_hypotheses(recipe, []) == [Todo("pseudo-labels/unlabeled", ("features",), 1)]
    report = run_here(recipe)
    assert report.pieces - report.skipped == 1
    assert contents(recipe) == contents(recognised)


def test_another_beam_writes_a_set_beside_the_old_one(recognised: Recipe, tmp_path: Path) -> None:
    recipe = copied(recognised, tmp_path / "run")
    other = asking(recipe, beam=11)
    (todo,) = todo_hypotheses(other, [])
    assert todo.because == ("hypotheses.beam",)
    run_here(other)
    assert contents(recipe) == contents(recognised)
    assert [row.id for row in rows_of(other)] == [row.id for row in rows_of(recipe)]


def test_a_broken_shard_is_listed_and_the_others_are_recognised(own: Recipe) -> None:
    first, second = sources(own)
    file = Path(ShardStore(own.run, features.STORE).uri(second))
    file.write_bytes(file.read_bytes()[:-9])
    run_here(own)  # the toy recipe allows that half is rejected
    assert [entry.shard for entry in hypothesis_set(own).store.entries(SPLIT)] == [first]
    (reject,) = read_rejects(own, "hypotheses")
    assert reject.id == second.name
    assert "not a whole Parquet file" in reject.reason


def test_too_many_rejects_end_the_stage_with_the_list(own: Recipe) -> None:
    few = own.model_copy(update={"corpus": own.corpus.model_copy(update={"max_reject_share": 0.01})})
    with pytest.raises(ValueError, match=r"hypotheses: 1 of 13 utterances were rejected .*max_reject_share=0\.01"):
        run_here(few)
    assert [reject.id for reject in read_rejects(few, "hypotheses")] == ["odd-nan"]


def test_a_network_that_does_not_fit_is_refused_before_any_work(own: Recipe) -> None:
    uri = model_uri(own.run, "student")
    model, _ = load_model(uri)
    save_model(uri, model, {"senone_set": "other"})
    with pytest.raises(ValueError, match=r"student\.safetensors was trained for senone set other"):
        run_here(own)
    filesystem.delete(uri)
    with pytest.raises(ValueError, match=r"student\.safetensors is missing; run the student stage first"):
        run_here(own)
    (todo,) = todo_hypotheses(own, [])
    assert (todo.after, todo.because) == ("student", ("student, which is not trained yet",))


def test_words_wait_for_the_network_and_for_the_text(recognised: Recipe) -> None:
    for product, stage in (("student", "student"), ("language text", "corpus")):
        before = [Todo(product, ("seed",), stage=stage)]
        assert todo_hypotheses(recognised, before) == [Todo("pseudo-labels/unlabeled", ("seed",), 2, after=stage)]
    assert todo_hypotheses(recognised, [Todo("teacher", ("seed",), stage="teacher")]) == []


def test_nobody_is_asked_unless_the_recipe_says_so(own: Recipe) -> None:
    off = own.model_copy(update={"hypotheses": load_recipe("demo").hypotheses})
    assert "hypotheses" not in [stage.name for stage in wanted_stages(off)]
    assert [stage.name for stage in wanted_stages(own)][-4:] == ["student", "hypotheses", "evaluate", "report"]
    report = run_hypotheses(off)
    assert report.line() == "hypotheses: 0 s, 0 shards, off hypotheses.teacher names nobody"
    assert not Path(own.run, "pseudo-labels").exists()
    with pytest.raises(ValueError, match=r"set hypotheses\.teacher=student"):
        hypothesis_set(off)


@pytest.mark.parametrize("teacher", ["topline", "ctm", "'ctm:'", "kaldi:/x"])
def test_others_can_not_be_asked(teacher: str) -> None:
    """The topline has learned from what the unlabeled speech says."""
    with pytest.raises(
        ValueError, match=r"use one of teacher, baseline, student, transducer:RUN/NAME, ctm:FILE, jsonl:FILE"
    ):
        load_recipe("demo", [f"hypotheses.teacher={teacher}"])


def test_what_unlabeled_speech_says_is_not_in_the_language_model(
    own: Recipe, recognised: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same texts in another part of the run, words that only they have can't be recognised any more."""
    filesystem.write_bytes(sentences_uri(own.run, SPLIT), b"silent\n")
    filesystem.write_bytes(sentences_uri(own.run, "open-speech"), "\n".join(TEXT).encode())
    graphs: list[tuple[str, ...]] = []
    made = HypothesisJob.__init__

    def noting(job: HypothesisJob, *arguments: object) -> None:
        made(job, *arguments)
        graphs.append(job.recogniser._finder.vocabulary)

    monkeypatch.setattr(HypothesisJob, "__init__", noting)
    run_here(own)
    assert graphs
    assert "silent" not in graphs[0]
    assert {"a", "cat", "cats", "sat", "to", "two"} <= {*graphs[0]}
    assert hypothesis_set(own).id != hypothesis_set(recognised).id
    assert all("silent" not in row.text for row in rows_of(own))
