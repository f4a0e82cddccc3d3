"""`ssl-asr cohorts`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, REFUSED, main

WORDS = "how could you say so well then as it were"


@pytest.fixture
def said(tmp_path: Path) -> str:
    """Forty speakers; those of the south are understood worse."""
    lines = []
    for number in range(40):
        south, words = number % 2 == 1, WORDS.split()
        wrong = 4 + number % 3 if south else 1 + number % 2
        tags = {"region": "south" if south else "north", "latitude": 30 + number // 2 - 25 * south, "longitude": 8.5}
        hypothesis = " ".join(["wrong"] * wrong + words[wrong:])
        line = {"id": f"u{number}", "reference": WORDS, "hypothesis": hypothesis, "speaker": f"Ann No. {number}"}
        lines.append(json.dumps({**line, "tags": tags}))
    (tmp_path / "said.jsonl").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "said.jsonl")


@pytest.mark.parametrize("by", ["tag:region", "geo"])
def test_prints_tables_and_writes_json_and_a_page(said, tmp_path, capsys, by):
    arguments = ["cohorts", said, "--by", by, "--least-words", "50", "-o", str(tmp_path / "out")]
    assert main(arguments) == OK
    out, err = capsys.readouterr()
    assert err == ""
    assert "bottom part  " in out
    assert "Gap: the bottom part has WER" in out
    assert out.endswith(f"{tmp_path}/out/cohorts.html\n")
    values = json.loads((tmp_path / "out" / "cohorts.json").read_text())
    page = (tmp_path / "out" / "cohorts.html").read_text()
    assert values["gap"]["p"] < 0.01
    assert values["gap"]["value"] > 1
    assert values["bottom"]["share_of_speakers"] == pytest.approx(0.5, abs=0.1)
    for written in (out, page, json.dumps(values)):
        assert "Ann" not in written
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"cohorts.json", "cohorts.html"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["cohorts", "--by", "geo"], REFUSED, "the following arguments are required: RUN|FILE"),
        (["cohorts", "x.jsonl"], REFUSED, "the following arguments are required: --by"),
        (["cohorts", "x.jsonl", "--by", "geo"], FAILED, "x.jsonl"),
        (["cohorts", "runs/none", "--by", "geo"], FAILED, "there is neither a run nor a recipe at runs/none"),
        (["cohorts", "x.jsonl", "--by", "geo", "--least-speakers", "1"], REFUSED, "1 is not a whole number from 2"),
        (["cohort", "x.jsonl"], REFUSED, "did you mean 'cohorts'?"),
    ],
)
def test_refuses_in_one_sentence(capsys, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_too_few_speakers_are_told(said, capsys):
    assert main(["cohorts", said, "--by", "tag:region", "--least-speakers", "15"]) == FAILED
    assert "leaves 15 speakers and 500 words on both sides in the half that is searched" in capsys.readouterr().err
