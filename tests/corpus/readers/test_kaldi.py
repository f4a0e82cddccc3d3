from __future__ import annotations

import math
from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.kaldi import read_kaldi
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import orders_of, same_speech


def test_kaldi_segments_of_a_channel(kaldi_folder: Path, clips: list[Clip]) -> None:
    reading = read_kaldi(str(kaldi_folder))
    same_speech(reading, clips)
    assert {utterance.channel for utterance in reading.utterances} == {1}
    assert all(orders == list(range(len(orders))) for orders in orders_of(reading).values())


def test_kaldi_without_segments_or_texts(tmp_path: Path, clips: list[Clip]) -> None:
    soundfile.write(tmp_path / "a.flac", clips[0].samples, clips[0].rate)
    (tmp_path / "wav.scp").write_text(f"one {tmp_path / 'a.flac'}\ntwo sph2pipe -f wav x.sph |\n\n")
    reading = read_kaldi(str(tmp_path))
    (utterance,) = reading.utterances
    assert (utterance.text, utterance.speaker, utterance.duration) == (None, "one", math.inf)
    (timed,) = checked(reading, "unlabeled", Corpus()).utterances
    assert timed.duration == pytest.approx(len(clips[0].samples) / clips[0].rate)
    assert [reject.id for reject in reading.rejects] == ["two"]
    assert "pipe" in reading.rejects[0].reason


def test_kaldi_mistakes(tmp_path: Path, kaldi_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"wav\.scp"):
        read_kaldi(str(tmp_path / "nowhere"))
    with (kaldi_folder / "segments").open("a") as file:
        file.write("lost other 0.0 1.0\n")
    assert [reject.id for reject in read_kaldi(str(kaldi_folder)).rejects] == ["lost"]
    with (kaldi_folder / "segments").open("a") as file:
        file.write("odd call zero one\n")
    with pytest.raises(ValueError, match="line of odd"):
        read_kaldi(str(kaldi_folder))
