"""The printed plan: complete, every figure with its source, and nothing written."""

from __future__ import annotations

import re

import pytest

from ssl_asr.cli.main import OK, main
from ssl_asr.recipe import load_recipe, presets
from ssl_asr.runtime.pipeline import wanted_stages


@pytest.fixture
def printed(capsys, tmp_path):
    def ask(*words: str) -> str:
        assert main(["plan", *words, f"run={tmp_path}/run"]) == OK
        assert list(tmp_path.iterdir()) == []
        return capsys.readouterr().out

    return ask


def test_every_source_is_cited_and_every_citation_has_one(printed):
    for words in (["paper", "--hours", "1e6", "--gpus", "64"], ["demo"], *([name] for name in presets())):
        body, sources = printed(*words).split("where the figures come from")
        listed = [int(number) for number in re.findall(r"^\[(\d+)\]", sources, re.MULTILINE)]
        assert listed == list(range(1, len(listed) + 1))
        assert {int(number) for number in re.findall(r"\[(\d+)\]", body)} == set(listed)


def test_each_store_and_stage_says_how_it_is_reckoned(printed):
    lines = printed("paper").splitlines()
    planned = {stage.name for stage in wanted_stages(load_recipe("paper"))} - {"report", "topline"}
    for name in (*planned, "features", "alignments", "targets", "manifest", "ledger", "checkpoints", "models"):
        line = next(line for line in lines if re.match(rf"{name} +\d", line))
        assert re.search(r"x .*\[\d+\]$", line), line


def test_a_plan_for_gpus_says_that_none_was_measured(printed):
    text = printed("paper")
    assert "stated: an A10G's" in text
    assert "no A10G was measured" in text
    assert "no A10G was measured" not in printed("demo")
    assert "stated: an A10G's" not in printed("demo")


def test_million_hours_come_to_the_published_order(printed):
    """1.2e11 frames of 20 targets: 9.6 TB as plain numbers, about half of that coded; the student fits 24 M."""
    text = printed("paper")
    assert re.search(r"^targets +4\.\d+ TB", text, re.MULTILINE)
    assert "24.30 M parameters" in text
    assert re.search(r"^ +64 .*%$", text, re.MULTILINE)


def test_hours_are_those_that_the_recipe_states_unless_others_are_given(printed):
    opening = printed("librispeech").splitlines()[1]
    assert "860.3 h unlabeled [1], 100.6 h labeled [1], 10.7 h dev [1], 10.5 h test [1]" in opening
    assert "[1] stated: corpus.hours of the recipe" in printed("librispeech")
    others = printed("librispeech", "--hours", "500", "corpus.hours.labeled=10").splitlines()[1]
    assert "500 h unlabeled [1], 10 h labeled [2]" in others
    assert "7,000 h labeled" in printed("paper").splitlines()[1]


def test_all_the_rest_of_the_open_speech_is_what_the_demo_and_laptop_have(printed):
    """3.50 h, counted in the manifest of a run of the demo; less where more is labeled."""
    assert "3.5 h unlabeled [1], 0.6667 h labeled" in printed("demo").splitlines()[1]
    assert "6.1 h unlabeled [1], 2 h labeled" in printed("laptop").splitlines()[1]  # two versions of each
    assert "2.083 h unlabeled" in printed("demo", "corpus.labeled_minutes=1000").splitlines()[1]


def test_cost_is_hours_times_prices(printed):
    line = printed("paper", "--price-gpu-hour", "0.5", "--price-cpu-hour=0.02")
    total, gpu, core = re.search(r"cost +([\d,.]+) = ([\d,.]+) x 0.5 \+ ([\d,.]+) x 0.02", line).groups()
    numbers = [float(text.replace(",", "")) for text in (total, gpu, core)]
    assert numbers[0] == pytest.approx(0.5 * numbers[1] + 0.02 * numbers[2], rel=1e-3)
    assert "give --price-gpu-hour" in printed("paper")


def test_more_kills_cost_more(printed):
    def lost(text: str) -> float:
        return float(re.search(r"^student +64 GPUs .*? [\d.]+% +([\d.]+)%", text, re.MULTILINE).group(1))

    calm, wild = (lost(printed("paper", "--kills-per-hour", rate)) for rate in ("0", "1"))
    assert calm == 0
    assert wild > 20


def test_copies_grow_features_and_training_but_not_targets_and_labelling(printed):
    def amount(text: str, name: str) -> float:
        return float(re.search(rf"^{name} +.*?([\d,.]+) h x", text, re.MULTILINE).group(1).replace(",", ""))

    words = (
        "paper",
        "--hours",
        "1e5",
        "--labeled-hours",
        "1000",
        "--test-hours",
        "1",
        "corpus.train_conditions=[room]",
    )
    alone, parallel = printed(*words), printed(*words, "corpus.unlabeled_copies=1")
    for name in ("features", "student"):
        assert amount(parallel, name) - amount(alone, name) == pytest.approx(1e5, rel=0.01)
    for name in ("targets", "labelling", "teacher", "alignments"):
        assert amount(parallel, name) == amount(alone, name)
    one = printed(*words, "corpus.unlabeled_copies=1", "student.versions=one")
    for name in ("student", "baseline"):
        assert amount(one, name) == amount(alone, name)
    assert amount(one, "features") == amount(parallel, "features")


def test_sequence_training_is_planned_where_it_is_wanted(printed):
    def work(text: str, stage: str) -> float:
        return float(re.search(rf"^{stage} .*? ([\d.,]+) h ", text, re.MULTILINE).group(1).replace(",", ""))

    three = ("demo", "evaluate.topline=false", "student.shorter_baseline=0", "corpus.unlabeled_minutes=120")
    plain = printed(*three)  # teacher, baseline, student
    assert not re.search("smbr|lattices", plain)
    once = printed(*three, "teacher.sequence.epochs=1")
    assert work(once, "teacher") == work(plain, "teacher")
    assert "student-smbr" not in once
    assert "x 1.01, measured: an sMBR epoch over one by cross-entropy (docs/benchmarks.md, smbr)" in once
    assert "x 1.5, stated, not measured" in printed(*three, "teacher.sequence.epochs=1", "--gpus", "2")
    thrice = printed(*three, "teacher.sequence.epochs=3", "student.sequence.epochs=3")
    assert work(thrice, "teacher-smbr") == pytest.approx(3 * work(once, "teacher-smbr"), rel=0.02)
    # Three models in place of one, each with lattices that are made anew after the first epoch.
    assert work(thrice, "lattices") == pytest.approx(6 * work(once, "lattices"), rel=0.02)
    assert work(thrice, "student-smbr") == work(thrice, "baseline-smbr")
    folds = printed(*three, "teacher.sequence.epochs=3", "teacher.sequence.folds=3")
    assert work(folds, "lattices") == work(once, "lattices")
    assert work(folds, "teacher-fold") == pytest.approx(work(plain, "teacher"), rel=0.02)  # 3 x 2/3 x half the passes


def test_words_of_unlabeled_speech_are_planned_where_a_network_recognises_them(printed):
    def row(*words: str) -> str | None:
        found = re.search(r"^hypotheses .*$", printed("paper", "--hours", "1e5", *words), re.MULTILINE)
        return found and found.group()

    assert row() is None
    assert row("hypotheses.teacher=ctm:/data/words.ctm") is None
    # 85.7 x real time at 1,000 active states are 17.1 at 5,000; with lattices at 67, that makes 13.6.
    assert re.search(r"cores +7,3\d\d h .* 100,000 h / 13\.6 x real time", row("hypotheses.teacher=student"))
    assert row("hypotheses.teacher=student", "corpus.unlabeled_copies=1") == row("hypotheses.teacher=student")
    assert "/ 37.6 x real" in row("hypotheses.teacher=student", "hypotheses.max_active=1000")
    assert re.search(r"cores .* 100,000 h / 86 x real time", row("hypotheses.teacher=transducer:/elsewhere/rnnt"))


def test_fold_models_of_a_student_hear_all_unlabeled_speech(printed):
    def hours(text: str, stage: str) -> float:
        return float(re.search(rf"^{stage} .*?([\d,.]+) h x 120,000", text, re.MULTILINE).group(1).replace(",", ""))

    words = ["corpus.labeled_minutes=60", "corpus.unlabeled_minutes=180", "student.sub_epochs=4"]
    words += ["student.unlabeled_passes=2", "student.selected_share=1", "corpus.labeled_copies=0"]
    words += ["corpus.unlabeled_copies=0", "student.sequence.epochs=3", "student.sequence.folds=3"]
    text = printed("demo", *words)
    assert hours(text, "student") == pytest.approx(4 + 2 * 3)
    # Half the passes of each: two thirds of the labeled speech, and all of the unlabeled.
    assert hours(text, "student-fold") == pytest.approx(3 * (4 * 2 / 3 + 2 * 3) / 2)
    assert hours(text, "baseline-fold") == pytest.approx(3 * 10 * 2 / 3 / 2)


def test_realignment_costs_a_teacher_s_training_each_time(printed):
    def hours(text: str, stage: str) -> float:
        found = re.search(rf"^{stage} .*?([\d,.]+) h x 120,000", text, re.MULTILINE)
        return float(found.group(1).replace(",", ""))

    text = printed("paper", "hmm.realign=2")
    assert hours(text, "realign") == pytest.approx(2 * hours(text, "teacher"), rel=0.01)
    # One version of the labeled recordings, dev and test, twice.
    assert hours(text, "realignment") == pytest.approx(2 * (7000 + 10), rel=0.01)
    assert hours(printed("paper", "hmm.realign=1"), "realignment") == pytest.approx(7010, rel=0.01)
    assert "float32, aligner-1, aligner-2, teacher" in text
    assert "realign" not in printed("paper")


def test_fairness_demo_takes_twenty_minutes_at_most(printed):
    text = printed("fairness-demo")
    for name in ("corpus", "adaptation", "fairness"):
        assert re.search(rf"^{name} +\d.* x .*\[\d+\]$", text, re.MULTILINE), name
    minutes = re.search(r"^in turn +(\d+) min", text, re.MULTILINE)
    assert minutes
    assert int(minutes[1]) < 20


def test_each_method_and_voices_take_time(printed):
    asked = ["demo", "fairness.by=[geo, voices]"]
    found = printed(*asked, "fairness.methods=[finetune, ewc, l2sp, average, replay, embedding, oversample]")
    assert "(7 x " in found
    assert "x 0." in re.search(r"^fairness .*", found, re.MULTILINE)[0]
    assert "adaptation" in found
    alone = printed(*asked)
    assert "adaptation" not in alone
    assert not re.search(r"^fairness ", printed("demo"), re.MULTILINE)
