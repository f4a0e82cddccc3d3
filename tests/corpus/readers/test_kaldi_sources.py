from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import whole_kaldi as whole

CHANGED = "cat a.wav | cat |"


@pytest.fixture
def folder(tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, clip in zip("ab", clips, strict=False):
        soundfile.write(tmp_path / f"{name}.wav", clip.samples, clip.rate, subtype="PCM_16")
    return tmp_path


def samples_of(folder: Path, *, pipes: bool = False) -> list[np.ndarray]:
    found = checked(whole(str(folder), pipes=pipes), "unlabeled", Corpus(), pipes=pipes)
    assert found.rejects == ()
    return [
        read_audio(each.audio, each.offset, each.duration, each.channel, 16000, pipes=pipes)
        for each in found.utterances
    ]


def test_of_a_pipe_that_decodes_one_file_the_file_is_read(folder: Path) -> None:
    (folder / "wav.scp").write_text("a a.wav\nb b.wav\n")
    expected = samples_of(folder)
    (folder / "wav.scp").write_text(f"a cat a.wav |\nb  sox {folder / 'b.wav'} -t wav -|\n")
    for found, samples in zip(samples_of(folder), expected, strict=True):
        np.testing.assert_array_equal(found, samples)


def test_other_pipes_are_told_at_once(folder: Path) -> None:
    (folder / "wav.scp").write_text(f"a {CHANGED}\nb {CHANGED}\n")
    with pytest.raises(
        ValueError, match=r"all recordings are shell pipes .* first of 2: cat a.wav \| cat \|; .*corpus.pipes"
    ):
        whole(str(folder))


def test_other_pipes_are_run_where_the_recipe_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wav.scp").write_text("a a.wav\n")
    (expected,) = samples_of(folder)
    (folder / "wav.scp").write_text(f"a {CHANGED}\n")
    reading = whole(str(folder), pipes=True)
    monkeypatch.chdir("/")  # as a worker elsewhere
    (utterance,) = checked(reading, "unlabeled", Corpus(), pipes=True).utterances
    found = read_audio(utterance.audio, 0, utterance.duration, 0, 16000, pipes=True)
    np.testing.assert_array_equal(found, expected)
    (reject,) = checked(reading, "unlabeled", Corpus()).rejects
    assert "is not run" in reject.reason


def test_a_pipe_that_fails_says_why(folder: Path) -> None:
    (folder / "wav.scp").write_text("a a.wav\nb cat nothing.wav && true |\n")
    (reject,) = checked(whole(str(folder), pipes=True), "unlabeled", Corpus(), pipes=True).rejects
    assert reject.id == "b"
    assert "nothing.wav: No such file" in reject.reason


def test_archives_of_wav(folder: Path) -> None:
    """Kaldi's wav-copy writes each recording's name, a space, and a WAV; its list says where the WAV begins."""
    (folder / "wav.scp").write_text("a a.wav\nb b.wav\n")
    expected = samples_of(folder)
    archive, listed = b"", ""
    for name in "ab":
        archive += f"{name} ".encode()
        listed += f"{name} wav.ark:{len(archive)}\n"
        archive += (folder / f"{name}.wav").read_bytes()
    (folder / "wav.ark").write_bytes(archive)
    (folder / "wav.scp").write_text(listed)
    for found, samples in zip(samples_of(folder), expected, strict=True):
        np.testing.assert_array_equal(found, samples)
    (folder / "wav.ark").write_bytes(archive[:-2000])
    (folder / "wav.scp").write_text(listed + "c wav.ark:1\nd wav.ark:99999999\ne none.ark:0\n")
    found = checked(whole(str(folder)), "unlabeled", Corpus())
    assert [utterance.id for utterance in found.utterances] == ["a"]
    reasons = {reject.id: reject.reason for reject in found.rejects}
    assert "truncated" in reasons["b"]
    assert "byte 1 of this archive" in reasons["c"]
    assert "byte 99999999 of this archive" in reasons["d"]
    assert "missing" in reasons["e"]
