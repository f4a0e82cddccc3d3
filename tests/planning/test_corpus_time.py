"""The corpus stage's row of a plan: lists, opened audio, and voice activity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssl_asr.planning.compute import devices_of
from ssl_asr.planning.facts import Fact, Facts, stated_facts
from ssl_asr.planning.measured import known
from ssl_asr.planning.plan import make_plan
from ssl_asr.planning.question import Question
from ssl_asr.planning.wall_time import StageTime
from ssl_asr.recipe import Recipe, load_recipe

HOURS = Question(hours=1e6, labeled_hours=1000, test_hours=10)


def row(recipe: Recipe, question: Question = HOURS) -> StageTime | None:
    devices = devices_of(recipe, question)
    plan = make_plan(recipe, question, devices, known(recipe, question, devices))
    return next((stage for stage in plan.stages if stage.stage == "corpus"), None)


def planned(*fields: str, preset: str = "paper") -> StageTime:
    found = row(load_recipe(preset, ["run=nowhere", *fields]))
    assert found is not None
    return found


def listing(facts: Facts, hours: float) -> float:
    return hours / facts.utterance_seconds.value / facts.listing_speed.value


def opening(facts: Facts, hours: float) -> float:
    return hours / facts.utterance_seconds.value / facts.opening_speed.value


def test_recordings_of_unknown_length_are_cut_by_voice_activity() -> None:
    stage = planned(preset="unsupervised-peoples-speech")
    assert stage.work_hours == pytest.approx(1e6 / 449, rel=0.01)
    assert "1,000,000 h / 449 x real time" in stage.formula
    assert "docs/benchmarks.md, segment" in stage.source
    assert "assumed: all recordings of webdataset are longer than corpus.max_seconds" in stage.source
    kept = planned("corpus.segment=false", preset="unsupervised-peoples-speech")
    assert kept.work_hours < 0.05 * stage.work_hours
    assert "1,001,020 h x 3,600 / 3.6 s / 7,106 opened a second" in kept.formula


def test_audio_without_believed_lengths_is_opened() -> None:
    facts = stated_facts(load_recipe("paper"))
    everything, labeled = 1e6 + 1000 + 2 * 10, 1000 + 2 * 10
    listed = planned("corpus.unlabeled=nemo:a.jsonl")
    assert listed.work_hours == pytest.approx(listing(facts, everything) + opening(facts, labeled))
    assert "assumed: entries of nemo give lengths" in listed.source
    opened = listing(facts, everything) + opening(facts, everything)
    for fields in (["corpus.unlabeled=kaldi:a"], ["corpus.unlabeled=nemo:a.jsonl", "corpus.trust_lengths=false"]):
        stage = planned(*fields)
        assert stage.work_hours == pytest.approx(opened)
        assert "assumed: no utterance of " in stage.source
        assert "docs/benchmarks.md, corpus" in stage.source


def test_what_a_run_has_cut_takes_the_place_of_what_is_assumed() -> None:
    recipe = load_recipe("unsupervised-peoples-speech", ["run=nowhere"])
    devices = devices_of(recipe, HOURS)
    inputs = known(recipe, HOURS, devices)
    speech = replace(inputs.speech, cut=Fact(100, "measured in RUN: corpus"))
    plan = make_plan(recipe, HOURS, devices, replace(inputs, speech=speech))
    assert (
        "1,000,920 h x 3,600 / 3.6 s / 7,106 opened a second + 100 h / 449 x real time"
        in plan.stage("corpus").formula
    )
    assert plan.stage("corpus").source.endswith("measured in RUN: corpus: hours that were cut")


def test_copies_are_not_in_any_list() -> None:
    noisy = ["corpus.train_conditions=[room]", "corpus.test_conditions=[clean, room]"]
    copies = ["corpus.labeled_copies=2", "corpus.unlabeled_copies=1"]
    assert planned(*noisy, *copies).work_hours == pytest.approx(planned().work_hours)


def test_open_speech_is_left_out_split_by_split() -> None:
    assert row(load_recipe("demo", ["run=nowhere"])) is None
    own = ["corpus.labeled=nemo:a.jsonl", "run=nowhere"]
    stage = row(load_recipe("demo", own), Question(labeled_hours=50))
    assert stage is not None
    assert "50 h x 3,600" in stage.formula
    assert "assumed" not in stage.source
