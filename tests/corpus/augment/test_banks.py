"""Noise banks are mixed of recorded speech; an empty recording among it is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.augment import banks
from tests.corpus.conftest import Clip


@pytest.fixture
def recording(clips: list[Clip], tmp_path: Path) -> str:
    path = tmp_path / "said.wav"
    soundfile.write(path, clips[0].samples, 16000, subtype="PCM_16")
    return str(path)


@pytest.fixture
def empty(tmp_path: Path) -> str:
    path = tmp_path / "is.gsm"
    path.touch()
    return str(path)


def test_an_empty_recording_is_passed_over(recording: str, empty: str) -> None:
    np.testing.assert_array_equal(banks.babble([[recording, empty]], 1), banks.babble([[recording]], 1))


def test_a_talker_without_a_sound_is_refused(empty: str) -> None:
    with pytest.raises(ValueError, match=r"is\.gsm and the other files of its talker are silent"):
        banks.babble([[empty]], 1)
