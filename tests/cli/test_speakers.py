"""`ssl-asr speakers`: what it prints, writes and refuses; cohorts use what it wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, REFUSED, main
from ssl_asr.store.ledger import Shard
from ssl_asr.store.speaker_embeddings import all_speaker_embeddings
from ssl_asr.verifying.training_check import check_training
from tests.in_process import placed_here
from tests.speakers.made_up import made_up_run, publish, said_by

_SETTINGS = {"train": "labeled", "batch-speakers": 4, "batch-utterances": 3, "steps": 20, "units": 12, "layers": 1}
SMALL = [word for name, value in _SETTINGS.items() for word in (f"--{name}", str(value))]


@pytest.fixture(autouse=True)
def _without_ray():
    with placed_here():
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    return made_up_run(tmp_path_factory.mktemp("run")).run


def test_trains_embeds_and_verifies_by_group(run, capsys):
    assert main(["speakers", run, *SMALL, "--groups", "region"]) == OK
    out = capsys.readouterr().out
    assert "was trained: 36 utterances of 6 speakers" in out
    assert "2 speakers with one utterance were left out" in out
    assert "Over the groups of the tag 'region', " in out
    assert "as they were trained on: 1" in out
    assert "as they have one utterance: 1" in out
    folder = Path(run) / "speakers" / "own"
    values = json.loads((folder / "verification.json").read_text())
    north, south = values["results"]["groups"]
    assert (north["name"], south["name"]) == ("north", "south")
    assert values["results"]["disparity"]["gap"] == pytest.approx(abs(south["eer"] - north["eer"]))
    assert values["results"]["everything"]["true_claims"] == 12 * 3
    for written in (out, json.dumps(values)):
        assert "person" not in written
    found = all_speaker_embeddings(run, "own", "test")
    assert found.vectors.shape == (12 * 6 + 3 + 1, 64)
    assert not (folder / "checkpoint.safetensors").exists()
    assert check_training(run).trained == ["extractor-own: 20 slabs in 1 phases, each trained on exactly once"]
    first = {file: file.stat().st_mtime_ns for file in folder.rglob("*.*") if file.name != "verification.json"}
    assert main(["speakers", run, *SMALL, "--groups", "language"]) == OK
    out = " ".join(capsys.readouterr().out.split())
    assert "is up to date" in out
    assert "No gap: the tag 'language' makes one group of two speakers or more among the 12 of the trials" in out
    assert first == {file: file.stat().st_mtime_ns for file in first}


def test_group_dro_tells_whom_it_does_not_heed(tmp_path, capsys):
    run = made_up_run(tmp_path).run
    asked = ["speakers", run, *SMALL, "--steps", "1", "--reweighting", "groups", "--groups", "region"]
    assert main(asked) == OK
    assert "weight is 0" not in capsys.readouterr().out
    untagged = [replace(each, tags={}) for each in said_by("person 50", 4, "labeled")]
    publish(run, Shard("labeled", 2), untagged)
    assert main(asked) == OK
    assert capsys.readouterr().out.startswith(
        "1 of 7 speakers, and 4 of 40 utterances, have no tag 'region': after the first batches (--pretrain) their "
        "weight is 0, so nothing is learned from them\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["speakers"], REFUSED, "the following arguments are required: RUN"),
        (["speakers", "runs/none"], FAILED, "there is neither a run nor a recipe at runs/none"),
        (["speakers", "RUN", "--name", "../x"], REFUSED, "'../x' is no name"),
        (["speakers", "RUN", "--train", "labelled"], REFUSED, "'labelled' names no splits"),
        (["speakers", "RUN"], FAILED, "a batch wants 16 speakers, and 6 have two utterances or more"),
        (["speakers", "RUN", "--import", "none.whl"], FAILED, "there is no none.whl; fetch it with `pip download"),
        (["speakers", "RUN", "--train", "dev"], FAILED, "no features of dev speech"),
        (
            ["speakers", "RUN", *SMALL, "--groups", "no"],
            FAILED,
            "no test utterance of",
        ),
        (["speakers", "RUN", *SMALL, "--reweighting", "groups"], FAILED, "needs two groups of training speech"),
    ],
)
def test_refuses_in_one_sentence(run, capsys, words, code, said):
    assert main([run if word == "RUN" else word for word in words]) == code
    err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("  speakers:")]
    assert len(err) == 1
    assert said in err[0]
