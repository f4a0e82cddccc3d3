"""Real recorded clips in the forms that corpora come in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.open_speech.speech import OpenSpeech, open_speech
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.sources import source_of
from ssl_asr.recipe import Recipe
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance, decode
from tests.conftest import CACHE, tiny_recipe


@dataclass(frozen=True)
class Clip:
    """A recorded sentence: float32 [samples] at `rate`, its speaker and its text as written."""

    samples: np.ndarray
    rate: int
    speaker: str
    text: str


@pytest.fixture(scope="session")
def speech() -> OpenSpeech:
    return open_speech(CACHE)


@pytest.fixture(scope="session")
def recorded(speech: OpenSpeech) -> OpenSpeech:
    if not speech.source.startswith("recorded"):
        pytest.skip("recorded speech can't be fetched here")
    return speech


@pytest.fixture(scope="session")
def clips(speech: OpenSpeech) -> list[Clip]:
    """Six clips of three speakers, 2-4 s, without digits or brackets in their texts."""
    chosen: dict[str, list[Clip]] = {}
    for spoken in speech.utterances:
        of_speaker = chosen.setdefault(spoken.speaker, [])
        if len(chosen) > 3 or len(of_speaker) == 2 or not 2 < spoken.duration < 4:
            continue
        text = spoken.text or ""
        if all(letter.isalpha() or letter in " .,'!?" for letter in text):
            samples = read_audio(spoken.audio, 0.0, spoken.duration, 0, 16000)
            of_speaker.append(Clip(samples, 16000, spoken.speaker, text))
        if sum(map(len, chosen.values())) == 6:
            break
    found = [clip for of_speaker in chosen.values() for clip in of_speaker]
    assert len(found) == 6
    return found


@pytest.fixture
def kaldi_folder(tmp_path: Path, clips: list[Clip]) -> Path:
    return write_kaldi(tmp_path / "kaldi", clips)


def write_kaldi(folder: Path, clips: list[Clip]) -> Path:
    """One recording of two channels with all clips end to end on the second, which segments calls B."""
    folder.mkdir()
    joined = np.concatenate([clip.samples for clip in clips])
    soundfile.write(folder / "call.wav", np.stack([0 * joined, joined], axis=1), 16000)
    segments, texts, speakers, at = [], [], [], 0
    for number, clip in enumerate(clips):
        name = f"call-{number}"
        segments.append(f"{name} call {at / 16000:.6f} {(at + len(clip.samples)) / 16000:.6f} B")
        texts.append(f"{name} {clip.text}")
        speakers.append(f"{name} {clip.speaker}")
        at += len(clip.samples)
    (folder / "wav.scp").write_text("call call.wav\n")
    for file, lines in (("segments", segments), ("text", texts), ("utt2spk", speakers)):
        (folder / file).write_text("\n".join(lines) + "\n")
    (folder / "reco2file_and_channel").write_text("call call B\n")
    return folder


def rows_of(recipe: Recipe, split: str) -> list[Utterance]:
    store = ShardStore(recipe.run, MANIFEST)
    return [
        row
        for entry in store.entries(split)
        for slab in range(len(entry.slabs))
        for row in decode(store.read_slab(entry.shard, slab))
    ]


def read_split(recipe: Recipe, split: str) -> Reading:
    """The usable part of a split's own source, in one piece."""
    source = source_of(recipe, split, {}, None)
    (piece,) = source.pieces
    return source.read(piece)


@pytest.fixture
def own_recipe(tmp_path: Path, clips: list[Clip]) -> Recipe:
    """Labeled from a Kaldi directory, unlabeled and dev from NeMo lines, test from a LibriSpeech tree."""
    kaldi = write_kaldi(tmp_path / "kaldi", clips)
    rows = []
    for number, clip in enumerate(clips):
        soundfile.write(tmp_path / f"{number}.flac", clip.samples, clip.rate)
        rows.append({"audio_filepath": f"{number}.flac", "text": clip.text, "speaker": clip.speaker})
    (tmp_path / "dev.jsonl").write_text(json.dumps(rows[0]) + "\n")
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    chapter = tmp_path / "libri" / "1" / "2"
    chapter.mkdir(parents=True)
    soundfile.write(chapter / "1-2-0001.flac", clips[1].samples, clips[1].rate)
    (chapter / "1-2.trans.txt").write_text(f"1-2-0001 {clips[1].text}\n")
    return tiny_recipe(
        tmp_path / "run",
        f"corpus.cache={tmp_path / 'nothing'}",
        f"corpus.labeled=kaldi:{kaldi}",
        f"corpus.unlabeled=nemo:{tmp_path / 'unlabeled.jsonl'}",
        f"corpus.dev=nemo:{tmp_path / 'dev.jsonl'}",
        f"corpus.test=librispeech:{tmp_path / 'libri'}",
        "corpus.train_conditions=[clean, room]",
        "corpus.test_conditions=[clean, room]",
    )
