from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.registry import read_listed
from ssl_asr.corpus.sources import check_sources
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip
from tests.corpus.readers.conftest import upload


@pytest.fixture
def talks(tmp_path: Path, clips: list[Clip]) -> Path:
    for name, clip in zip(("a.wav", "x/b.flac", "x/b.b.OGG"), clips, strict=False):
        file = tmp_path / "talks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, clip.samples, clip.rate)
    (tmp_path / "talks" / "x" / "about.txt").write_text("notes")
    return tmp_path / "talks"


def read(path: object) -> Reading:
    return read_listed("folder", str(path), texts=False)


def test_every_audio_file_is_an_utterance_of_its_own_speaker(talks: Path, clips: list[Clip]) -> None:
    usable = checked(read(talks), "unlabeled", Corpus())
    assert (usable.rejects, usable.counts) == ((), {})
    assert {each.id: each.speaker for each in usable.utterances} == {name: name for name in ("a", "x/b", "x/b.b")}
    seconds = {each.id: each.duration for each in usable.utterances}
    assert seconds["a"] == pytest.approx(len(clips[0].samples) / clips[0].rate)
    assert {each.text for each in usable.utterances} == {None}
    assert [each.id for each in read(talks / "x" / "*.flac").utterances] == ["b"]
    assert {each.channel for each in read_listed("folder", str(talks), 1, texts=False).utterances} == {1}


def test_a_bucket_has_the_same(talks: Path, bucket: str) -> None:
    upload(talks, f"{bucket}/talks")
    stored = read(f"{bucket}/talks").utterances
    assert [replace(each, audio="") for each in stored] == [
        replace(each, audio="") for each in read(talks).utterances
    ]
    assert checked(Reading(stored), "unlabeled", Corpus()).rejects == ()


def test_what_is_no_speech_is_told(talks: Path) -> None:
    (talks / os.fsdecode(b"tr\xe8s.wav")).touch()
    (talks / "x" / "b.mp3").write_bytes(b"no audio")
    usable = checked(read(talks), "unlabeled", Corpus())
    assert len(usable.utterances) == 3
    assert sorted((reject.id, reject.reason.partition("; ")[2]) for reject in usable.rejects) == [
        ("'tr\\udce8s.wav'", "rename the file"),
        ("x/b", "ids must be unique in a split"),
    ]


def test_without_texts_it_is_for_unlabeled_speech_alone(talks: Path) -> None:
    said = r"folder:.*talks: this form has no transcripts, so it is for corpus\.unlabeled alone; name a source"
    with pytest.raises(ValueError, match=said):
        read_listed("folder", str(talks))
    with pytest.raises(ValueError, match=rf"corpus\.dev={said}"):
        check_sources(Corpus(dev=f"folder:{talks}"), ())
    check_sources(Corpus(unlabeled=f"folder:{talks}"))
    with pytest.raises(ValueError, match=r"folder:.*nowhere: there is no .*nowhere; fix the path"):
        check_sources(Corpus(unlabeled=f"folder:{talks}/nowhere"))
