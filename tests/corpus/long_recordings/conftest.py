"""Long recordings that an unlabeled list names, and what is told of how they are cut."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ssl_asr.corpus import cut_job, long_recordings, stage
from ssl_asr.corpus.segment.recordings import speech_segments
from ssl_asr.recipe import Recipe
from tests.corpus.conftest import Clip
from tests.corpus.long_recordings.listed import (
    MAX_SECONDS,
    Rows,
    add,
    allowing,
)
from tests.corpus.long_speech import Talk, talk


@pytest.fixture(scope="module")
def talks(clips: list[Clip]) -> list[Talk]:
    return [talk(clips, seconds, seed) for seed, seconds in enumerate((50, 30, 20, 40))]


@pytest.fixture
def recipe(own_recipe: Recipe) -> Recipe:
    clean = dict.fromkeys(("train_conditions", "dev_conditions", "test_conditions"), ("clean",))
    return allowing(own_recipe, max_seconds=MAX_SECONDS, labeled_copies=0, unlabeled_copies=0, **clean)


@pytest.fixture
def long(recipe: Recipe, tmp_path: Path, talks: list[Talk]) -> Rows:
    """Beside the clips of the list four long recordings; of two the list says how long they are."""
    talks[0].write(tmp_path / "a.flac")
    talks[1].write(tmp_path / "b.wav", rate=44100, channel=2, channels=3)
    talks[2].write(tmp_path / "c.wav", rate=8000)
    talks[3].write(tmp_path / "d.flac")
    rows: Rows = [
        {"id": "a", "audio_filepath": "a.flac", "duration": talks[0].seconds},
        {"id": "b", "audio_filepath": "b.wav", "channel": 2, "speaker": "ann", "text": "said by ann"},
        {"id": "c", "audio_filepath": "c.wav", "duration": talks[2].seconds, "speaker": "ann"},
        {"id": "d", "audio_filepath": "d.flac"},
    ]
    add(tmp_path, rows)
    return rows


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """About a recording each."""
    monkeypatch.setattr(long_recordings, "BATCH_SECONDS", 20.0)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was listened to."""
    counts = Counter[str]()

    def counting(audio: str, **options: object) -> object:
        counts[Path(audio).name] += 1
        return speech_segments(audio, **options)

    monkeypatch.setattr(cut_job, "speech_segments", counting)
    return counts


@pytest.fixture(autouse=True)
def no_banks_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """All conditions are clean here."""

    def none(*_: object) -> None:
        raise AssertionError("banks take seconds")

    monkeypatch.setattr(stage, "ensure_banks", none)
