"""What users name, good and bad: files, folders, links, patterns, URIs and manifests."""

import json
import os
from pathlib import Path

import pytest

from ssl_asr.serving.transcribing.inputs import AudioInput, audio_inputs
from ssl_asr.store.ledger import Reject


def _file(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return str(path)


def _names(*words: str) -> list[str]:
    return [each.name for each in audio_inputs(words) if isinstance(each, AudioInput)]


def _reasons(*words: str) -> list[str]:
    return [each.reason for each in audio_inputs(words) if isinstance(each, Reject)]


def test_files_folders_and_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.wav", "a.FLAC", "sub/deeper/c.mp3", "sub/notes.txt", "[odd] *.wav"):
        _file(tmp_path / name)
    assert _names(str(tmp_path)) == ["[odd] *", "a", "b", "sub/deeper/c"]
    assert _names(str(tmp_path / "[odd] *.wav")) == ["[odd] *"]  # a file that is there is no pattern
    assert _names(str(tmp_path / "*.[wW]??")) == ["[odd] *", "b"]
    assert _names(str(tmp_path / "**" / "*.mp3")) == ["c"]
    assert _names(str(tmp_path / "{a.FLAC,sub}")) == ["a", "deeper/c"]
    assert _names(str(tmp_path / "sub" / "**")) == ["c", "notes.txt"]  # each file once, and no folder again
    assert _names(str(tmp_path / "sub" / "notes.txt")) == ["notes.txt"]  # named by itself, it may be audio
    assert _names(f"file://{tmp_path}/sub") == ["deeper/c"]
    assert _names(f"file://{tmp_path}/sub/deeper/?.mp3") == ["c"]
    odd = _file(tmp_path / "odd" / "what? 100%#[x].wav")
    assert [each.uri for each in audio_inputs([f"file://{odd}", odd]) if isinstance(each, AudioInput)] == [odd, odd]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _names("~/b.wav") == ["b"]
    monkeypatch.chdir(tmp_path)
    (found,) = audio_inputs(["b.wav"], channel=1)
    assert found == AudioInput("b", str(tmp_path / "b.wav"), channel=1)


def test_audio_inside_another_file_is_named_as_reports_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = f"part:{tmp_path}/talks.tar:0000000001536+4000"
    assert list(audio_inputs([part])) == [AudioInput("talks-0000000001536", part)]
    assert _names(f"{tmp_path}/wav.ark:1234") == ["wav-1234"]
    monkeypatch.chdir(tmp_path)
    _file(tmp_path / "part:talks.tar:1+2")
    assert list(audio_inputs(["part:talks.tar:1+2"])) == [
        AudioInput("part:talks.tar:1+2", f"{tmp_path}/part:talks.tar:1+2")
    ]


def test_linked_folders_are_read_once_and_circles_end(tmp_path: Path) -> None:
    _file(tmp_path / "elsewhere" / "a.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data")
    assert _names(str(tmp_path / "data")) == ["again/a"]


def test_what_cannot_be_had_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    good = _file(tmp_path / "good.wav")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "gone.wav")
    _file(tmp_path / "texts" / "a.txt")
    _file(tmp_path / "list.jsonl")
    os.mkfifo(tmp_path / "pipe.wav")
    cases = {
        str(tmp_path / "absent.wav"): "there is no such file or folder",
        str(tmp_path / "no*.wav"): "no file has such a name",
        str(tmp_path / "{good,bad}.wav"): "1 of its 2 files are not there, the first of them is",
        str(tmp_path / "empty"): "the folder is empty",
        str(tmp_path / "texts"): "none of its 1 files is called like audio",
        str(tmp_path / "dangling.wav"): "gone.wav, which is not there",
        str(tmp_path / "pipe.wav"): "not a plain file",
        "ftp://host/a.wav": "(ftp:// is not known); name a local path, or file:///, s3:// or gs://",
        "file://host/a.wav": "three slashes begin the path of a local file",
        f"file://{tmp_path}/absent": "there is no such file or folder; correct the path",
        f"file://{tmp_path}/*.ogg": "no file has such a name",
        "nemo:absent.jsonl": "there is no absent.jsonl; fix the path",
        "nomo:absent.jsonl": "no reader nomo",
        str(tmp_path / "list.jsonl"): f"name its reader: nemo:{tmp_path}/list.jsonl",
        "libri-light:absent": "there is no absent; fix the path",
    }
    found = list(audio_inputs([*cases, good]))
    assert found[-1] == AudioInput("good", good)
    for (word, reason), reject in zip(cases.items(), found[:-1], strict=True):
        assert isinstance(reject, Reject)
        assert reject.id in (word, word.removeprefix("file://"))
        assert reason in reject.reason
        assert not reject.reason.startswith(f"{word}:")
        assert "\n" not in reject.reason
    within = [each for each in audio_inputs([str(tmp_path)]) if isinstance(each, Reject)]
    assert [Path(each.id).name for each in within] == ["dangling.wav", "pipe.wav"]


def test_names_that_are_no_text_are_rejects(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/caf\xe9.wav")).write_bytes(b"RIFF")
    (reject,) = audio_inputs([str(tmp_path)])
    assert isinstance(reject, Reject)
    assert "not valid UTF-8" in reject.reason
    reject.id.encode()


def test_manifests_name_their_own_stretches_and_channels(tmp_path: Path) -> None:
    rows = [
        {"id": "../../up/one", "audio_filepath": "a.wav", "offset": 1.5, "duration": 2.0, "channel": 1},
        {"audio_filepath": "b.wav"},
        {"duration": 1.0},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    reject, one, two = audio_inputs([f"nemo:{tmp_path / 'list.jsonl'}"])
    assert one == AudioInput("_/_/up/one", str(tmp_path / "a.wav"), 1.5, 2.0, 1)
    assert two == AudioInput("b", str(tmp_path / "b.wav"))
    assert isinstance(reject, Reject)
    assert "line 3" in reject.id


def test_audio_is_found_as_it_is_asked_for(tmp_path: Path) -> None:
    first = _file(tmp_path / "a.wav")
    found = audio_inputs([first, str(tmp_path / "later.wav")])
    assert next(found) == AudioInput("a", first)
    later = _file(tmp_path / "later.wav")
    assert next(found) == AudioInput("later", later)
