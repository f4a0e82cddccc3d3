from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.readers.librispeech import read_librispeech
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech


def test_librispeech_tree(tmp_path: Path, clips: list[Clip]) -> None:
    numbers = {speaker: 100 + place for place, speaker in enumerate(dict.fromkeys(clip.speaker for clip in clips))}
    renamed = []
    for place, clip in enumerate(clips):
        speaker = str(numbers[clip.speaker])
        folder = tmp_path / speaker / "7"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{speaker}-7-{place:04d}"
        soundfile.write(folder / f"{name}.flac", clip.samples, clip.rate)
        with (folder / f"{speaker}-7.trans.txt").open("a") as file:
            file.write(f"{name} {clip.text.upper()}\n")
        renamed.append(Clip(clip.samples, clip.rate, speaker, clip.text))
    same_speech(read_librispeech(str(tmp_path)), renamed)
    with (folder / f"{speaker}-7.trans.txt").open("a") as file:
        file.write(f"{speaker}-7-9999 GONE\n")
    (reject,) = read_librispeech(str(tmp_path)).rejects
    assert reject.id == f"{speaker}-7-9999"
    with pytest.raises(ValueError, match="not a LibriSpeech tree"):
        read_librispeech(str(tmp_path / "nowhere"))
