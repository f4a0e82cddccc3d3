from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.reading import joined as in_order
from ssl_asr.recipe import Corpus
from ssl_asr.store.utterance import Utterance
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "list" / "manifest.jsonl"


def read(manifest: Path, *rows: object, name: str = "") -> Reading:
    """The manifest of `rows`, each a line."""
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return read_nemo(str(manifest))


def of(manifest: Path, **row: object) -> Utterance:
    reading = read(manifest, {"audio_filepath": "a.wav", **row})
    assert reading.rejects == ()
    return reading.utterances[0]


def reason(manifest: Path, **row: object) -> str:
    reading = read(manifest, {"audio_filepath": "b.wav"}, {"audio_filepath": "a.wav", **row})
    (reject,) = reading.rejects
    assert reject.id == "line 2"
    assert reject.reason.startswith(f"{manifest} line 2 is not a NeMo entry (")
    return reject.reason


def test_nemo_lines(tmp_path: Path, clips: list[Clip], manifest: Path) -> None:
    joined = np.concatenate([clip.samples for clip in clips[1:]])
    soundfile.write(tmp_path / "long.flac", joined, 16000)
    manifest.parent.mkdir()
    soundfile.write(manifest.parent / "first.wav", clips[0].samples, 16000)
    rows = [{"audio_filepath": "first.wav", "text": clips[0].text, "speaker": clips[0].speaker, "duration": None}]
    at = 0.0
    for clip in clips[1:]:
        long = {
            "audio_filepath": str(tmp_path / "long.flac"),
            "offset": at,
            "duration": len(clip.samples) / clip.rate,
        }
        rows.append({**long, "text": clip.text, "speaker": clip.speaker})
        at += len(clip.samples) / clip.rate
    reading = read(manifest, *rows, "")
    same_speech(reading, clips)
    assert len({utterance.id for utterance in reading.utterances}) == len(clips)
    ordered = in_order([reading]).utterances
    assert [each.order for each in ordered if each.speaker == clips[-1].speaker] == [0, 1]
    packed = manifest.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + manifest.read_bytes().replace(b"\n", b"\r\n\r\n")))
    assert read_nemo(str(packed)) == reading


def test_lines_that_are_no_entry_are_rejected_by_number(manifest: Path) -> None:
    reading = read(manifest, {"text": "no audio"}, "not json", '["a list"]', {"audio_filepath": "a.wav"})
    assert [utterance.audio for utterance in reading.utterances] == [f"{manifest.parent}/a.wav"]
    assert [reject.id for reject in reading.rejects] == ["line 1", "line 2", "line 3"]
    assert "line 1 is not a NeMo entry (it lacks audio_filepath); fix it" in reading.rejects[0].reason


def test_a_file_of_another_form_is_refused(tmp_path: Path, manifest: Path) -> None:
    with pytest.raises(ValueError, match="no such NeMo manifest"):
        read_nemo(str(tmp_path / "absent.jsonl"))
    rows = [{"audio_filepath": "a.wav", "text": "yes"}]
    for indent in (None, 1):
        with pytest.raises(ValueError, match=r"manifest\.jsonl is a JSON array, .*: jq -c '\.\[\]'"):
            read(manifest, json.dumps(rows, indent=indent))
    with pytest.raises(ValueError, match="objects of several lines"):
        read(manifest, json.dumps(rows[0], indent=1))
    manifest.write_text(json.dumps(rows[0]), encoding="utf-16")
    with pytest.raises(ValueError, match="is UTF-16"):
        read_nemo(str(manifest))


def test_texts_keep_what_only_python_takes_for_line_ends(manifest: Path) -> None:
    text = "two\u2028lines\x85of\u2029text"
    row = json.dumps({"audio_filepath": "a.wav", "text": text}, ensure_ascii=False)
    assert [each.text for each in read(manifest, row).utterances] == [text]


def test_an_id_is_a_path_and_depends_on_no_other_line(tmp_path: Path, manifest: Path) -> None:
    paths = {
        "spk1/000.wav": "spk1/000",
        "./spk2/../spk2/000.wav": "spk2/000",
        str(manifest.parent / "spk3" / "000.flac"): "spk3/000",
        str(tmp_path / "wavs" / "000.wav"): f"{tmp_path}/wavs/000".lstrip("/"),
        "../wavs/000.wav": f"{tmp_path}/wavs/000".lstrip("/"),
        "s3://bucket/wavs/000.wav": "bucket/wavs/000",
        "spk1/000.1": "spk1/000.1",
    }
    assert {path: of(manifest, audio_filepath=path).id for path in paths} == paths
    assert of(manifest, offset=1.25).id == "a-0001250"
    assert of(manifest, offset=0).id == "a-0000000"
    assert {of(manifest, channel=channel).id for channel in (0, 1, None)} == {"a-ch0", "a-ch1", "a"}
    assert of(manifest, id=0, utt_id="b").id == "0"
    assert of(manifest, id="", utt_id="b").id == "b"


def test_the_same_id_with_other_values_is_told(clips: list[Clip], manifest: Path) -> None:
    manifest.parent.mkdir()
    soundfile.write(manifest.parent / "a.wav", clips[0].samples, 16000)
    row = {"audio_filepath": "a.wav", "text": "yes"}
    found = checked(read(manifest, row, {**row, "text": "no"}), "labeled", Corpus())
    assert [each.text for each in found.utterances] == ["yes"]
    assert ["used before" in reject.reason for reject in found.rejects] == [True]


def test_speaker_0_is_a_speaker(manifest: Path) -> None:
    assert [of(manifest, speaker=each).speaker for each in (0, 1, "0", "ann")] == ["0", "1", "0", "ann"]
    assert of(manifest, speaker_id=0).speaker == "0"
    assert {of(manifest, speaker=each).speaker for each in (None, "")} == {f"{manifest.parent}/a.wav"}
    assert "its speaker is nan, neither a string nor a whole number" in reason(manifest, speaker=math.nan)


def test_relative_paths_are_of_the_manifest_or_else_of_the_current_directory(
    tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list" / "wavs").mkdir(parents=True)
    (tmp_path / "wavs").mkdir()
    for file in ("wavs/one.wav", "wavs/two.wav", "list/wavs/one.wav"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    one, two = read(manifest, *({"audio_filepath": f"wavs/{name}.wav"} for name in ("one", "two"))).utterances
    assert {one.id: one.audio, two.id: two.audio} == {
        "wavs/one": f"{tmp_path}/list/wavs/one.wav",
        "wavs/two": f"{tmp_path}/wavs/two.wav",
    }


def test_other_keys_of_nemo_and_curator(manifest: Path) -> None:
    for key in ("audio_filename", "audio_file", "audio"):
        (found,) = read(manifest, {key: "a.wav"}).utterances
        assert found.audio == f"{manifest.parent}/a.wav"
    assert of(manifest, text="No. 1", normalized_text="number one").text == "number one"
    assert of(manifest, text="one", normalized_text="").text == "one"
    assert "it names a list of audio files; give each" in reason(manifest, audio_filepath=["a.wav", "b.wav"])
    assert "its audio_filepath is 7, not a string" in reason(manifest, audio_filepath=7)


def test_null_and_the_empty_string_are_not_given(manifest: Path) -> None:
    for nothing in (None, ""):
        found = of(manifest, offset=nothing, duration=nothing, channel=nothing, speaker=nothing, id=nothing)
        assert (found.id, found.offset, found.duration, found.channel) == ("a", 0.0, math.inf, 0)
    assert (of(manifest, text=None).text, of(manifest, text="").text) == (None, "")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("offset", -1, "its offset is -1, which is negative"),
        ("offset", math.nan, "its offset is nan, not a number"),
        ("offset", math.inf, "its offset is inf, not a number"),
        ("duration", math.nan, "its duration is nan, not a number"),
        ("duration", math.inf, "its duration is inf, not a number"),
        ("duration", -2, "its duration is -2, which is negative"),
        ("channel", -1, "its channel is -1, not a whole number from 0 on"),
        ("channel", [0, 1], r"its channel is [0, 1], not a number"),
        ("text", 7, "its text is 7, not a string"),
        ("tags", ["far"], "its tags are ['far'], not an object of strings"),
    ],
)
def test_values_that_cannot_be_are_rejected(manifest: Path, key: str, value: object, why: str) -> None:
    assert why in reason(manifest, **{key: value})


def test_values_that_can_be(manifest: Path) -> None:
    assert of(manifest, duration=-1, offset=0.5).duration == math.inf  # as in NeMo: the rest of the file
    found = of(manifest, offset="1.5", duration=2, channel=1, tags={"set": "far", "channel": "other"})
    assert (found.offset, found.duration, found.channel) == (1.5, 2.0, 1)
    assert found.tags == {"set": "far", "channel": "other"}
