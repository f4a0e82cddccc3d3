"""Synthetic speech of many voices: lists that the reader takes, splits that share nothing, noise of a given level."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import voices as job
from ssl_asr.corpus.open_speech.voices import Part, in_noise, talker_of, write_voices
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.store.utterance import Utterance

PARTS = {"labeled": Part(0.2, 3), "dev": Part(0.1, 2)}


def listed(folder: Path) -> dict[str, list[Utterance]]:
    return {split: list(read_nemo(str(folder / f"{split}.jsonl")).utterances) for split in PARTS}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    write_voices(folder, PARTS, (5, 20), seed=3)
    return folder


def test_each_split_is_as_long_as_asked_for_and_has_talkers_and_sentences_of_its_own(made: Path) -> None:
    found = listed(made)
    for split, part in PARTS.items():
        utterances = found[split]
        seconds = [each.duration for each in utterances]
        assert sum(seconds) - seconds[-1] < 60 * part.minutes <= sum(seconds)
        assert len({each.speaker for each in utterances}) == part.talkers
    labeled, dev = found.values()
    assert not {each.speaker for each in labeled} & {each.speaker for each in dev}
    texts = [each.text for each in (*labeled, *dev)]
    assert len({*texts}) == len(texts)
    words = [json.loads(line) for line in (made / "labeled-words.jsonl").open()]
    assert words == [{"id": each.id, "hypothesis": each.text} for each in labeled]


def test_the_same_seed_gives_the_same_sentences_to_the_same_talkers(made: Path, tmp_path: Path) -> None:
    write_voices(tmp_path, PARTS, (5, 20), seed=3)
    before, again = (listed(folder)["labeled"] for folder in (made, tmp_path))
    for mine, its in zip(before, again, strict=False):
        assert (mine.id, mine.speaker, mine.text) == (its.id, its.speaker, its.text)
        assert mine.duration == pytest.approx(its.duration, rel=0.05)
    assert talker_of("dev", 1, 3) == talker_of("dev", 1, 3)
    assert talker_of("dev", 1, 3) != talker_of("dev", 1, 4)


@given(snr=st.floats(-10, 40), size=st.integers(50, 4000), level=st.floats(1e-3, 0.5), seed=st.integers(0, 9))
def test_noise_lies_so_far_below_the_speech(snr: float, size: int, level: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    speech = level * rng.uniform(-1, 1, size)
    heard = in_noise(speech, snr, rng)
    assert np.abs(heard).max() <= 1
    if np.abs(heard).max() < 0.949:  # what is louder is made quieter as a whole
        noise = heard - speech
        assert 10 * np.log10(np.mean(speech**2) / np.mean(noise**2)) == pytest.approx(snr, abs=1e-6)


def test_silence_stays_silence() -> None:
    silence = np.zeros(100)
    assert (in_noise(silence, 10, np.random.default_rng(1)) == silence).all()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr("sys.argv", ["voices", str(tmp_path)])
    assert job.main() == 1
    assert capsys.readouterr().err == f"voices: {tmp_path} is not empty; name a new folder\n"
    monkeypatch.setattr("sys.argv", ["voices", str(tmp_path / "new"), "--snr", "9", "3"])
    assert job.main() == 1
    assert "of --snr the second is not below the first" in capsys.readouterr().err
