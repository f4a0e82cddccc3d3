"""Speed perturbation: its conditions, the sound of it, and which frame of the recording a frame of the copy is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.augment.noise import Bank, check_condition, degrade, noise_kind
from ssl_asr.corpus.augment.speed import fits, recording_places, split_speed

RATE = 8000


@pytest.mark.parametrize(
    ("condition", "parts", "kind"),
    [
        ("speed-0.9", (0.9, "clean"), None),
        ("speed-1.1+room", (1.1, "room"), None),
        ("speed-0.8+babble-20", (0.8, "babble-20"), "babble"),
        ("babble-20", (1.0, "babble-20"), "babble"),
        ("clean", (1.0, "clean"), None),
    ],
)
def test_a_condition_may_begin_with_a_speed(condition: str, parts: tuple[float, str], kind: str | None) -> None:
    check_condition(condition)
    assert split_speed(condition) == parts
    assert noise_kind(condition) == kind


@pytest.mark.parametrize(
    "condition",
    [
        "speed-0.7",
        "speed-1.3",
        "speed-1",
        "speed-1.0+room",
        "speed-0.9+clean",
        "speed-0.9+speed-1.1",
        "speed-0.9+rom",
    ],
)
def test_others_are_refused(condition: str) -> None:
    with pytest.raises(ValueError, match="is not a condition"):
        check_condition(condition)


def test_a_misspelt_speed_is_told_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'speed-0\.9'"):
        check_condition("sped-0.9")


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
@pytest.mark.parametrize("native", [8000, 11025, 16000])
def test_a_tone_is_lower_or_higher_and_longer_or_shorter(tmp_path: Path, factor: float, native: int) -> None:
    seconds, hertz = 1.5, 440
    times = np.arange(round(seconds * native)) / native
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * hertz * times), native)
    heard = read_audio(str(tmp_path / "tone.wav"), 0.0, seconds, 0, RATE / factor)
    assert len(heard) == pytest.approx(seconds * RATE / factor, abs=2)
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(power) * RATE / len(heard) == pytest.approx(hertz * factor, abs=1)


def test_noise_keeps_its_own_speed_and_a_speed_alone_changes_nothing_more() -> None:
    draw = np.random.default_rng(0)
    speech, noise = (draw.normal(0, 0.1, RATE).astype(np.float32) for _ in range(2))
    bank = Bank(noise, noise)
    assert degrade(speech, RATE, "speed-0.9", "a", 1, bank) is speech
    noisy = degrade(speech, RATE, "speed-0.9+babble-10", "a", 1, bank)
    np.testing.assert_array_equal(noisy, degrade(speech, RATE, "babble-10", "a", 1, bank))
    assert not np.array_equal(noisy, speech)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.0, 1.1, 1.25])
def test_a_frame_of_a_copy_is_the_recordings_at_the_same_sound(factor: float) -> None:
    """By brute force: the frame of the recording in which the middle of the copy's frame lies."""
    recording = 57
    frames = round(recording / factor)
    places = recording_places(frames, recording, factor)
    for frame, place in enumerate(places):
        middle = (frame + 0.5) * factor
        inside = [each for each in range(recording) if each <= middle < each + 1]
        assert inside in ([place], [])
        assert inside or place == recording - 1
    assert fits(frames, recording, factor)
    assert not fits(frames + 3, recording, factor)
    assert not fits(round(recording * factor), recording, factor) or factor == 1.0


def test_no_copy_of_the_same_speed_may_differ_by_a_frame() -> None:
    assert not fits(56, 57, 1.0)
    np.testing.assert_array_equal(recording_places(57, 57, 1.0), np.arange(57))
