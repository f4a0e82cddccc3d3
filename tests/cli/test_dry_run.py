"""`--dry-run` on a finished run: what a change would make, and because of what; it writes nothing, starts no Ray."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.frontend.stage import todo_frontend
from ssl_asr.models.systems import trained
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store.layout import MANIFEST, recipe_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from tests.finished_run import contents, write_source

LABELED_ALIGNMENTS = ["alignments/labeled", "alignments/dev", "alignments/test", "senone set"]
NAMES = [stage.name for stage in wanted_stages(Recipe())]
MODELS_ON = ["teacher", "targets/unlabeled", "baseline", "student", "results", "report"]


def told(capsys: pytest.CaptureFixture, *words: str) -> dict[str, list[str]]:
    """What is said of each stage, line by line."""
    capsys.readouterr()
    assert main([*words, "--dry-run"]) == OK
    lines, found = capsys.readouterr().out.splitlines(), dict[str, list[str]]()
    assert lines[0] == f"run {open_recipe(words[1], words[2:]).run}"
    assert lines[1].startswith("speech: ")
    stage = ""
    for line in lines[2:]:
        if line == "nothing is to be made":
            assert all(said == ["up to date"] for said in found.values())
            break
        stage = line[:10].strip() or stage
        found.setdefault(stage, []).append(line[11:])
    else:
        assert any(said != ["up to date"] for said in found.values())
    return found


def products(found: dict[str, list[str]]) -> list[str]:
    return [line.partition(":")[0] for lines in found.values() for line in lines if line != "up to date"]


def test_an_unchanged_run_is_up_to_date_and_stays_as_it_is(finished: Recipe, capsys: pytest.CaptureFixture) -> None:
    before = contents(finished.run)
    assert told(capsys, "run", finished.run) == {name: ["up to date"] for name in NAMES}
    for name in NAMES:
        assert told(capsys, name, finished.run) == {name: ["up to date"]}
    assert contents(finished.run) == before


def test_words_of_the_unlabeled_speech_follow_their_network_alone(
    finished: Recipe, capsys: pytest.CaptureFixture
) -> None:
    asked = "hypotheses.teacher=student"
    assert products(told(capsys, "run", finished.run, asked)) == ["pseudo-labels/unlabeled", "report"]
    found = told(capsys, "hypotheses", finished.run, asked)
    assert found == {"hypotheses": ["pseudo-labels/unlabeled: 2 shards, not made yet"]}
    found = told(capsys, "run", finished.run, asked, "student.network.layers=2")
    assert found["hypotheses"] == ["pseudo-labels/unlabeled: about 2 shards, because of student.network.layers"]
    teacher = told(capsys, "run", finished.run, "hypotheses.teacher=teacher", "student.network.layers=2")
    assert teacher["hypotheses"] == ["pseudo-labels/unlabeled: 2 shards, not made yet"]


def test_another_test_condition_touches_the_test_alone(finished: Recipe, capsys: pytest.CaptureFixture) -> None:
    before = contents(finished.run)
    found = told(capsys, "run", finished.run, "corpus.test_conditions=[clean]")
    why = "because of corpus.test_conditions"
    up_to_date = {key: ["up to date"] for key in ("teacher", "labelling", "baseline", "student")}
    assert found == up_to_date | {
        "corpus": [f"manifest/test: 2 shards, {why}", f"language text: {why} (may turn out unchanged)"],
        "frontend": [f"features/test: about 2 shards, {why}"],
        "hmm": [f"lexicon: {why} (may turn out unchanged)", f"alignments/test: about 2 shards, {why}"],
        "evaluate": [f"results: {why}"],
        "report": [f"report: {why}"],
    }
    assert told(capsys, "teacher", finished.run, "corpus.test_conditions=[clean]") == {"teacher": ["up to date"]}
    assert contents(finished.run) == before


@pytest.mark.parametrize(
    ("override", "made"),
    [
        ("evaluate.kappas=[0.9]", ["results", "report"]),
        ("evaluate.lm_order=2", ["results", "report"]),
        ("evaluate.bootstrap=7", ["results", "report"]),
        ("cluster.label_actors=[3, 4]", []),
        ("corpus.cache=/elsewhere", []),
        ("corpus.max_reject_share=0.9", []),
        ("name=other", []),
        ("student.sync.checkpoint_blocks=9", []),
        ("student.network.layers=2", ["baseline", "student", "results", "report"]),
        ("student.unlabeled_objective.kind=cross-entropy", ["student", "results", "report"]),
        ("labelling.value_bits=6", ["targets/unlabeled", "student", "results", "report"]),
        ("teacher.labeled_passes=3", MODELS_ON[:2] + MODELS_ON[3:]),
        ("hmm.questions=clustered", ["senones", *LABELED_ALIGNMENTS, *MODELS_ON]),
        ("hmm.senones=77", ["senones", *LABELED_ALIGNMENTS, *MODELS_ON]),
        ("hmm.flat_start_iterations=3", ["flat start", "senones", *LABELED_ALIGNMENTS, *MODELS_ON]),
        ("hmm.g2p_words=9", ["lexicon", "flat start", "senones", *LABELED_ALIGNMENTS, *MODELS_ON]),
        (
            "frontend.low_hz=40",
            [
                *(f"features/{split}" for split in ("labeled", "unlabeled", "dev", "test")),
                *("flat start", "senones", *LABELED_ALIGNMENTS, *MODELS_ON),
            ],
        ),
    ],
)
def test_a_change_makes_what_depends_on_it(
    finished: Recipe, capsys: pytest.CaptureFixture, override: str, made: list[str]
) -> None:
    found = told(capsys, "run", finished.run, override)
    assert products(found) == made
    key = override.partition("=")[0].removesuffix(".kind")
    reasons = [line.partition("because of ")[2] for lines in found.values() for line in lines if line != "up to date"]
    # The corpus mean, which is the features' prior, follows from the front end's fields.
    assert {each.removesuffix(", prior") for each in reasons} == ({key} if made else set())


def test_a_topline_that_is_asked_for_makes_its_labels_its_model_and_the_results(
    finished: Recipe, capsys: pytest.CaptureFixture
) -> None:
    found = told(capsys, "run", finished.run, "evaluate.topline=true")
    assert products(found) == ["alignments/unlabeled", "topline", "results", "report"]
    assert found["hmm"] == ["alignments/unlabeled: 2 shards, not made yet"]
    assert found["topline"] == ["topline: not made yet"]


def test_added_labeled_speech_trains_the_teacher_and_leaves_other_features(
    finished_run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    listing = tmp_path / "speech" / "labeled.jsonl"
    changed = f"corpus.labeled=nemo:{listing}"
    more = write_source(tmp_path / "speech", "more", ["a cat sat to a cat", "two cats"])
    rows = listing.read_text()
    first = told(capsys, "run", finished_run.run, changed)
    assert first["corpus"] == [
        "manifest/labeled: 2 shards, because of corpus.labeled",
        "language text: because of corpus.labeled (may turn out unchanged)",
    ]
    listing.write_text(rows + more.read_text())
    found = products(told(capsys, "run", finished_run.run, changed))
    assert found == [
        *("manifest/labeled", "language text", "features/labeled", "lexicon", "flat start", "senones"),
        *(*LABELED_ALIGNMENTS, *MODELS_ON),
    ]


def test_the_prior_outlives_the_shard_that_it_was_measured_on(finished_run: Recipe) -> None:
    degraded = finished_run.model_copy(
        update={"corpus": finished_run.corpus.model_copy(update={"labeled_copies": 1, "train_conditions": ("room",)})}
    )
    assert todo_frontend(finished_run, []) == []
    run_corpus(degraded)
    found = {todo.product: todo.because for todo in todo_frontend(degraded, [])}
    assert {*found} == {"features/labeled", "features/unlabeled"}
    assert found["features/labeled"] == ("manifest",)


def test_a_model_that_is_gone_is_made_with_what_follows(finished_run: Recipe, capsys: pytest.CaptureFixture) -> None:
    Path(model_uri(finished_run.run, "baseline")).unlink()
    found = told(capsys, "run", finished_run.run)
    assert found["baseline"] == ["baseline: not made yet"]
    assert products(found) == ["baseline", "results", "report"]
    Path(model_uri(finished_run.run, "teacher")).unlink()
    assert products(told(capsys, "run", finished_run.run)) == MODELS_ON


def test_a_new_run_has_everything_to_make(
    finished_run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = tmp_path / "new"
    found = told(capsys, "run", recipe_uri(finished_run.run), f"run={run}")
    assert set(found) == {*NAMES}
    assert {line.partition(": ")[2] for lines in found.values() for line in lines} == {"not made yet"}
    assert {*trained(finished_run)} <= {*products(found)}
    assert not run.exists()


def test_the_speech_is_told_and_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"name: mine\nrun: {tmp_path}/run\n")
    assert main(["run", str(mine), "--dry-run"]) == OK
    assert capsys.readouterr().out.splitlines()[1] == "speech: open-speech"
    labeled = write_source(tmp_path / "speech", "labeled", ["a cat sat"])
    assert main(["run", str(mine), f"corpus.labeled=nemo:{labeled}", "--dry-run"]) == OK
    told = "unlabeled open-speech, dev open-speech, test open-speech"
    assert capsys.readouterr().out.splitlines()[1] == f"speech: labeled nemo:{labeled}, {told}"
    gone = f"nemo:{tmp_path}/gone.jsonl"
    for stage in ("run", "corpus"):
        assert main([stage, str(mine), f"corpus.unlabeled={gone}", "--dry-run"]) == FAILED
        out, said = capsys.readouterr()
        assert out == ""
        assert said.startswith(f"ssl-asr: corpus.unlabeled={gone}: there is no ")


def test_a_finished_run_needs_its_sources_no_more(
    finished_run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    before = told(capsys, "run", finished_run.run)
    listing = Path(finished_run.corpus.test.partition(":")[2])
    away = listing.rename(tmp_path / "away")
    try:
        assert told(capsys, "run", finished_run.run) == before
        assert main(["run", finished_run.run, "corpus.test_conditions=[clean]", "--dry-run"]) == FAILED
        assert f"there is no {listing}" in capsys.readouterr().err
    finally:
        away.rename(listing)


def test_a_copied_run_is_up_to_date_where_it_lies(
    finished_run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(finished_run.run, copy)
    before = contents(finished_run.run, caches=True)
    for target in (str(copy), f"{copy}/recipe.yaml"):
        assert told(capsys, "run", target) == {name: ["up to date"] for name in NAMES}
    moved = Path(finished_run.run).rename(tmp_path / "moved")
    assert told(capsys, "run", str(moved)) == {name: ["up to date"] for name in NAMES}
    assert contents(str(moved)).keys() <= before.keys()
    assert not Path(finished_run.run).exists()


@pytest.mark.parametrize("name", ["", "/recipe.yaml"])
def test_a_copy_that_is_run_writes_nothing_into_the_old_run(finished_run: Recipe, tmp_path: Path, name: str) -> None:
    copy, before = tmp_path / "copy", contents(finished_run.run, caches=True)
    shutil.copytree(finished_run.run, copy)
    (copy / "report" / "index.html").unlink()
    assert main(["corpus", f"{copy}{name}", "corpus.test_conditions=[clean]"]) == OK
    assert main(["report", f"{copy}{name}"]) == OK
    assert len((copy / "report" / "index.html").read_bytes()) > 1000
    assert open_recipe(str(copy)).corpus.test_conditions == ("clean",)
    assert contents(finished_run.run, caches=True) == before
    # Listing shards may write the cache, so it comes last.
    assert len(ShardStore(str(copy), MANIFEST).shards("test")) < len(
        ShardStore(finished_run.run, MANIFEST).shards("test")
    )


SEES = """
import json, sys
from ssl_asr.cli.main import main
code = main(["run", sys.argv[1], "--dry-run"])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules} & {"ray", "numpy"})]))
"""


def test_a_dry_run_imports_no_ray(finished: Recipe) -> None:
    done = subprocess.run([sys.executable, "-c", SEES, finished.run], capture_output=True, text=True, check=True)
    *said, seen = done.stdout.splitlines()
    assert json.loads(seen) == [OK, ["numpy"]]
    assert said[-1] == "nothing is to be made"
