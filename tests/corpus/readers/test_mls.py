from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.corpus.pieces import pieces
from ssl_asr.corpus.readers.mls import read_mls
from ssl_asr.corpus.readers.registry import pieces_at, read_listed
from ssl_asr.store.patterns import matching_files
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import mls
from tests.corpus.readers.conftest import upload
from tests.corpus.readers.same import same_speech


@pytest.fixture
def train(tmp_path: Path, spoken: list[Clip]) -> Path:
    return mls(tmp_path / "mls_polish" / "train", spoken)


def test_lines_of_transcripts(train: Path, spoken: list[Clip]) -> None:
    reading = read_listed("mls", str(train))
    same_speech(reading, spoken)
    first = min(reading.utterances, key=lambda each: each.id)
    assert first.id == "100_10049_000000"
    assert first.audio == f"{train}/audio/100/10049/100_10049_000000.flac"
    assert read_listed("mls", str(train / "transcripts.txt")) == reading
    assert read_listed("mls", str(train.parents[1] / "mls_*" / "train")) == reading
    assert read_listed("mls", str(train), texts=False) == reading


def test_opus(tmp_path: Path, spoken: list[Clip]) -> None:
    folder = mls(tmp_path / "mls_polish_opus" / "train", spoken, ".opus")
    reading = read_listed("mls", str(folder))
    assert {each.audio.rpartition(".")[2] for each in reading.utterances} == {"opus"}
    assert reading.rejects == ()
    assert len(reading.utterances) == len(spoken)


def test_small_parts(train: Path, spoken: list[Clip]) -> None:
    parts = train / "limited_supervision"
    same_speech(read_listed("mls", str(parts / "9hr" / "handles.txt")), spoken[:2])
    same_speech(read_listed("mls", str(parts / "1hr" / "0" / "handles.txt")), spoken[2:3])
    same_speech(read_listed("mls", str(parts / "1hr" / "*" / "handles.txt")), spoken[2:4])
    same_speech(read_listed("mls", str(parts / "**" / "handles.txt")), spoken[:4])
    before = pieces_at("mls", str(parts / "9hr" / "handles.txt"))
    with (train / "transcripts.txt").open("a") as file:
        file.write("\n")
    assert pieces_at("mls", str(parts / "9hr" / "handles.txt")) != before
    (parts / "9hr" / "handles.txt").write_text("100_10049_000000\n100_10049_000099\n")
    reading = read_listed("mls", str(parts / "9hr" / "handles.txt"))
    assert [each.id for each in reading.utterances] == ["100_10049_000000"]
    (reject,) = reading.rejects
    assert (reject.id, "has no line of 100_10049_000099" in reject.reason) == ("100_10049_000099", True)
    (train / "transcripts.txt").unlink()
    with pytest.raises(ValueError, match=r"9hr/handles\.txt: there is no transcripts\.txt in a folder above it"):
        read_listed("mls", str(parts / "9hr" / "handles.txt"))


def test_lines_without_audio_and_other_lines_are_told(train: Path) -> None:
    shutil.rmtree(train / "audio" / "101")
    (train / "audio" / "100" / "10049" / "100_10049_000000.flac").unlink()
    with (train / "transcripts.txt").open("a") as file:
        file.write("nonsense\twords\n\tnothing\n")
    reading = read_listed("mls", str(train))
    assert {each.speaker for each in reading.utterances} == {"100", "102"}
    reasons = {reject.id: reject.reason for reject in reading.rejects}
    assert len(reasons) == 5
    assert f"{train}/audio/100/10049/100_10049_000000.flac is missing" in reasons["100_10049_000000"]
    assert "'nonsense' is no id of the form SPEAKER_BOOK_NUMBER" in reasons["nonsense"]
    assert "'' is no id" in reasons["line 8"]


def test_without_transcripts_it_is_unlabeled_speech(train: Path, spoken: list[Clip]) -> None:
    (train / "transcripts.txt").unlink()
    (train / "segments.txt").unlink()
    reading = read_listed("mls", str(train), texts=False)
    assert sorted(each.id for each in reading.utterances)[0] == "100_10049_000000"
    assert {each.speaker for each in reading.utterances} == {clip.speaker for clip in spoken}
    assert {each.text for each in reading.utterances} == {None}
    with pytest.raises(ValueError, match=r"train has no transcripts\.txt, so it is for corpus\.unlabeled alone"):
        read_listed("mls", str(train))
    with pytest.raises(ValueError, match=r"mls:.*dev: there is no .*dev; fix the path"):
        read_listed("mls", str(train.parent / "dev"))


def test_parts_are_the_whole(train: Path) -> None:
    file = str(train / "transcripts.txt")
    found = pieces(matching_files(file), by_lines=True, size=60)
    assert len(found) > 3
    parts = [read_mls(piece.uri, part=(piece.begin, piece.end)) for piece in found]
    assert tuple(each for part in parts for each in part.utterances) == read_mls(file).utterances


def test_a_bucket_has_the_same(train: Path, bucket: str) -> None:
    upload(train, f"{bucket}/train")
    here, there = (read_listed("mls", str(place)).utterances for place in (train, f"{bucket}/train"))
    assert [replace(each, audio="") for each in here] == [replace(each, audio="") for each in there]
    assert there[0].audio.startswith(f"{bucket}/train/audio/100/10049/100_10049_00000")
