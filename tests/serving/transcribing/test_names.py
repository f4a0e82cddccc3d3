"""Inputs with one name: what becomes of them in files and on a terminal."""

from pathlib import Path

import pytest

from ssl_asr.serving.transcribing.inputs import AudioInput, audio_inputs
from ssl_asr.serving.transcribing.names import told_apart, without_clashes
from ssl_asr.store.ledger import Reject


def _file(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return str(path)


def test_names_that_clash_are_told_once_and_repeated_audio_is_passed_over(tmp_path: Path) -> None:
    files = [_file(tmp_path / name) for name in ("x/a.wav", "y/A.wav", "y/b.wav", "y/b.flac")]
    found = list(without_clashes(audio_inputs([*files, files[0], str(tmp_path / "x")])))
    assert [each.name for each in found if isinstance(each, AudioInput)] == ["a", "b"]
    first, second = (each for each in found if isinstance(each, Reject))
    assert first.id == files[1]
    assert first.reason == f"its results would be called A, as those of {files[0]}; write them to another folder"
    assert second.id == files[3]


def test_names_on_a_terminal_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one.mp3", "one.flac", "two.wav", "in/two.wav", "in/three.wav", "more/three.wav", "bell\a/one.ogg"):
        _file(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def names(*words: str) -> list[str]:
        return [each.name for each in told_apart(audio_inputs(words), words) if isinstance(each, AudioInput)]

    assert names("one.mp3", "two.wav") == ["one", "two"]
    assert names("one.mp3", "./one.flac", "bell\a/one.ogg") == ["one.mp3", "./one.flac", "bell_/one.ogg"]
    assert names("two.wav", "two.wav") == ["two"]
    assert names("in", "in/two.wav", "in") == ["three", "two"]
    assert names("in", "more") == ["three", "two", f"{tmp_path}/more/three.wav"]
    assert names("two.wav", "in") == ["two", "three", f"{tmp_path}/in/two.wav"]
    assert names("gone.wav") == []
