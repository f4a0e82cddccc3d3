from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import webdataset

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.audio_places import part_of
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.webdataset import read_webdataset
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech
from tests.corpus.readers.test_tars import tar_of

Content = dict[str, bytes]


def sound(clip: Clip, form: str = "FLAC") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.rate, format=form)
    return buffer.getvalue()


def read(tmp_path: Path, content: Content) -> Reading:
    (tmp_path / "part-0.tar").write_bytes(tar_of(content))
    return read_webdataset(str(tmp_path / "part-0.tar"))


def reasons(reading: Reading, split: str = "labeled") -> dict[str, str]:
    return {reject.id: reject.reason for reject in checked(reading, split, Corpus()).rejects}


def test_what_webdataset_writes(tmp_path: Path, clips: list[Clip]) -> None:
    file = tmp_path / "part-0.tar"
    with webdataset.TarWriter(str(file)) as writer:
        for number, clip in enumerate(clips):
            known = {"speaker": clip.speaker, "duration": len(clip.samples) / clip.rate}
            if number % 2:
                sample = {"json": {**known, "text": clip.text}, "wav": sound(clip, "WAV")}
            else:
                sample = {"flac": sound(clip), "json": known, "txt": clip.text}
            writer.write({"__key__": f"книга/{number:06d}", **sample})
    reading = read_webdataset(str(file))
    same_speech(reading, clips)
    assert (reading.rejects, reading.counts, reading.files) == ((), {}, {str(file)})
    assert [each.id for each in reading.utterances] == [f"книга/{number:06d}" for number in range(len(clips))]
    for utterance, clip in zip(reading.utterances, clips, strict=True):
        assert utterance.duration == len(clip.samples) / clip.rate
        samples = read_audio(utterance.audio, 0.0, utterance.duration, 0, clip.rate)
        np.testing.assert_allclose(samples, clip.samples, atol=2**-15)


def test_audio_alone_is_enough_for_unlabeled_speech(tmp_path: Path, clips: list[Clip]) -> None:
    content = {"talks/Show.No.1.flac": sound(clips[0]), "talks/Show.No.2.flac": sound(clips[1])}
    reading = read(tmp_path, content)
    assert [each.id for each in reading.utterances] == ["talks/Show.No.1", "talks/Show.No.2"]
    assert [each.speaker for each in reading.utterances] == [each.audio for each in reading.utterances]
    assert {each.duration for each in reading.utterances} == {math.inf}
    assert reasons(reading, "unlabeled") == {}
    assert [reason.partition(",")[0] for reason in reasons(reading).values()] == ["the text is empty"] * 2


def test_what_is_known_of_an_audio(tmp_path: Path, clips: list[Clip]) -> None:
    audio = sound(clips[0])
    known = {"id": "mine", "text": "json text", "speaker_id": 7, "channel": 0, "tags": {"set": "far"}}
    content = {
        "a.json": json.dumps({"text": "", "duration": 1.5}).encode(),
        "a.flac": audio,
        "a.txt": b"\xef\xbb\xbf text\nof a\n",
        "b.flac": audio,
        "b.txt": b"not this",
        "b.json": json.dumps(known).encode(),
        "c.left.flac": audio,
        "c.right.flac": audio,
        "c.json": b'{"text": "of c"}',
        "c.right.txt": b"of c right",
    }
    a, b, left, right = read(tmp_path, content).utterances
    assert (a.id, a.text, a.duration) == ("a", "text of a", 1.5)
    assert (b.id, b.text, b.speaker, b.tags) == ("mine", "json text", "7", {"set": "far"})
    assert (left.id, left.text) == ("c.left", "of c")
    assert (right.id, right.text) == ("c.right", "of c right")


def test_what_belongs_to_nothing_is_counted(tmp_path: Path, clips: list[Clip]) -> None:
    audio = sound(clips[0])
    content = {"a.flac": audio, "b.txt": b"b", "b.json": b"{}", "a.jpg": b"", "._a.flac": b"x", "LICENSE": b"x"}
    content[".cache/c.flac"] = audio
    reading = read(tmp_path, content)
    assert [each.id for each in reading.utterances] == ["a"]
    assert reading.counts == {
        "members of tars are texts or JSON objects without audio": 2,
        "members of tars are neither audio nor text nor JSON, and are not read": 4,
    }
    assert read(tmp_path, {"a.txt": b"a"}).counts["tars hold no audio"] == 1
    assert read(tmp_path, {}).counts == {"tars hold no audio": 1}


def test_bad_members_are_rejected_one_by_one(tmp_path: Path, clips: list[Clip]) -> None:
    audio = sound(clips[0])
    content = {
        "list.flac": audio,
        "list.json": b'["text"]',
        "broken.flac": audio,
        "broken.json": b'{"text": ',
        "latin.flac": audio,
        "latin.txt": "café".encode("latin-1"),
        "negative.flac": audio,
        "negative.json": b'{"duration": -3}',
        "noise.flac": b"no audio at all" * 50,
        "noise.txt": b"yes",
        "cut.flac": audio[:-2000],
        "cut.txt": b"yes",
        "empty.flac": b"",
        "empty.txt": b"yes",
        "good.flac": audio,
        "good.txt": b"yes",
    }
    found = reasons(read(tmp_path, content))
    file = tmp_path / "part-0.tar"
    assert found.pop("list").endswith("part-0.tar: list.flac: it is a JSON list, not an object")
    assert "broken.flac: it is not JSON" in found.pop("broken")
    assert "latin.flac: latin.txt is not UTF-8; save it as UTF-8" in found.pop("latin")
    assert "its duration is -3, which is negative" in found.pop("negative")
    assert found.pop("noise").startswith(f"part:{file}:")
    assert "the audio file is empty" in found.pop("empty")
    assert found == {}  # nothing but decoding shows that a FLAC file was cut
    cut = next(each for each in read(tmp_path, content).utterances if each.id == "cut")
    with pytest.raises(ValueError, match=r"part-0\.tar:.*: libsndfile can't read this audio"):
        read_audio(cut.audio, 0.0, len(clips[0].samples) / 16000, 0, 16000)


def test_two_members_of_one_name_are_rejected(tmp_path: Path, clips: list[Clip]) -> None:
    audio = sound(clips[0])
    both = tar_of({"a.flac": audio, "a.txt": b"yes", "b.flac": audio, "b.txt": b"no"})
    end = both.rindex(b"b.txt\0") + 1024
    again = tar_of({"b.txt": b"maybe", "a.flac": audio, "c.flac": audio, "c.wav": audio})
    file = tmp_path / "part-0.tar"
    file.write_bytes(both[:end] + again)
    reading = read_webdataset(str(file))
    assert [each.id for each in reading.utterances] == ["c", "c"]
    assert [(each.id, each.reason.partition(".tar: ")[2]) for each in reading.rejects] == [
        ("a", "a.flac: 2 members are called a.flac; keep one of them"),
        ("b", "b.flac: 2 members are called b.txt; keep one of them"),
        ("a", "a.flac: 2 members are called a.flac; keep one of them"),
    ]
    assert "this id was used before" in reasons(reading, "unlabeled")["c"]


def test_a_tar_that_was_cut_keeps_what_is_whole(tmp_path: Path, clips: list[Clip]) -> None:
    content = {f"{number}.flac": sound(clip) for number, clip in enumerate(clips)}
    data = tar_of(content)
    file = tmp_path / "part-0.tar"
    file.write_bytes(data[: data.index(b"3.flac\0") + 5000])
    reading = read_webdataset(str(file))
    assert [each.id for each in reading.utterances] == ["0", "1", "2"]
    assert reading.utterances[0].audio == part_of(str(file), 512, len(content["0.flac"]))
    (reject,) = reading.rejects
    assert reject.id == "part-0.tar"
    assert "within 3.flac; what follows is not read" in reject.reason
