"""What tells files of words from others: content, or size and time where they are large."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ssl_asr.hypotheses.outside import source
from ssl_asr.hypotheses.outside.source import outside_content, outside_exists
from ssl_asr.hypotheses.stage import run_hypotheses, todo_hypotheses
from ssl_asr.recipe import Recipe
from ssl_asr.store.layout import outside_hypotheses_uri
from ssl_asr.store.ledger import checksum
from tests.hypotheses.conftest import CLEAN, asking


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "words.jsonl"
    written.write_text("".join(json.dumps({"id": each.id, "hypothesis": each.text}) + "\n" for each in CLEAN))
    return written


def touch(file: Path) -> None:
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read, found = source.file_checksum, list[str]()
    monkeypatch.setattr(source, "file_checksum", lambda uri: found.append(uri) or read(uri))
    source._content.cache_clear()
    return found


def test_small_files_are_compared_by_content(own: Recipe, file: Path) -> None:
    recipe = asking(own, teacher=f"jsonl:{file}")
    content = outside_content(recipe)
    assert content == checksum(file.read_bytes())[:12]
    touch(file)
    assert outside_content(recipe) == content
    assert outside_content(asking(own, teacher=f"jsonl:{file.parent}/w*.jsonl")) == content
    (file.parent / "words-2.jsonl").write_text(json.dumps({"id": "x", "hypothesis": "a"}))
    assert outside_content(asking(own, teacher=f"jsonl:{file.parent}/w*.jsonl")) != content


def test_large_files_are_compared_by_size_and_time(own: Recipe, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_COMPARED", 0)
    read, recipe = reads(monkeypatch), asking(own, teacher=f"jsonl:{file}")
    content = outside_content(recipe)
    run_hypotheses(recipe)
    assert outside_content(recipe) == content
    assert todo_hypotheses(recipe, []) == []
    touch(file)
    assert outside_content(recipe) != content
    assert read == []


def test_a_run_of_an_earlier_version_keeps_the_words_of_a_large_file(
    own: Recipe, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has noted the content, and no stamp. The file is read once to see that it is the same."""
    recipe, note = asking(own, teacher=f"jsonl:{file}"), Path(outside_hypotheses_uri(own.run))
    run_hypotheses(recipe)
    content, noted = outside_content(recipe), json.loads(note.read_text())
    note.write_text(json.dumps({name: value for name, value in noted.items() if name != "stamp"}, indent=1))
    monkeypatch.setattr(source, "MOST_COMPARED", 0)
    read = reads(monkeypatch)
    assert outside_content(recipe) == content
    assert run_hypotheses(recipe).skipped == 2
    assert read == [str(file)]
    source._content.cache_clear()
    assert outside_content(recipe) == content
    assert read == [str(file)]
    assert json.loads(note.read_text()) == noted
    file.write_text(file.read_text().replace("two cats", "two cat"))
    assert outside_content(recipe) != content


def test_what_another_file_has_is_not_counted(own: Recipe, file: Path) -> None:
    """After a change there and back the run has noted the other file."""
    recipe, other = asking(own, teacher=f"jsonl:{file}"), file.parent / "other.jsonl"
    other.write_text('{"id": "rec0", "hypothesis": "a"}')
    figures = run_hypotheses(recipe).figures
    run_hypotheses(asking(own, teacher=f"jsonl:{other}"))
    again = run_hypotheses(recipe)
    assert again.skipped == 2
    assert again.figures == {name: value for name, value in figures.items() if name != "of_other_speech"}


def test_a_pattern_whose_files_are_gone_is_known_by_its_note(own: Recipe, file: Path) -> None:
    recipe = asking(own, teacher=f"jsonl:{file.parent}/w*.jsonl")
    run_hypotheses(recipe)
    content = outside_content(recipe)
    file.unlink()
    assert (outside_content(recipe), outside_exists(recipe)) == (content, False)
    assert not outside_exists(asking(own, teacher=f"jsonl:{file.parent}/{{a,b}}.jsonl"))
