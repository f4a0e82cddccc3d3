import itertools

import numpy as np
import pytest

from ssl_asr.corpus.augment.noise import KINDS, USES, Bank, check_condition, degrade, load_bank
from ssl_asr.corpus.augment.rooms import impulse_response
from ssl_asr.recipe import Recipe
from tests.corpus.conftest import Clip

RATE = 16000


@pytest.fixture(scope="module")
def bank(corpus_run: Recipe) -> Bank:
    return load_bank(corpus_run.run, "train", RATE)


@pytest.mark.parametrize("kind", ["babble", "effects"])
@pytest.mark.parametrize("decibels", [20, 0, -5])
def test_ratio_is_reached(clips: list[Clip], bank: Bank, kind: str, decibels: int) -> None:
    for clip in clips:
        noisy = degrade(clip.samples, RATE, f"{kind}-{decibels}", "some id", 1, bank)
        noise = noisy.astype(np.float64) - clip.samples
        ratio = 10 * np.log10(np.mean(clip.samples.astype(np.float64) ** 2) / np.mean(noise**2))
        assert ratio == pytest.approx(decibels, abs=0.05)
        assert noisy.dtype == np.float32


@pytest.mark.parametrize("condition", ["babble-10", "effects-10", "room"])
def test_drawn_from_seed_and_id_alone(clips: list[Clip], bank: Bank, condition: str) -> None:
    samples = clips[0].samples
    first = degrade(samples, RATE, condition, "a", 1, bank)
    np.testing.assert_array_equal(first, degrade(samples, RATE, condition, "a", 1, bank))
    assert not np.array_equal(first, degrade(samples, RATE, condition, "b", 1, bank))
    assert not np.array_equal(first, degrade(samples, RATE, condition, "a", 2, bank))


def test_room_keeps_loudness_and_length(clips: list[Clip], bank: Bank) -> None:
    for number, clip in enumerate(clips):
        wet = degrade(clip.samples, RATE, "room", str(number), 1, bank)
        assert len(wet) == len(clip.samples)
        assert np.mean(wet**2) == pytest.approx(np.mean(clip.samples**2), rel=1e-3)


def test_room_does_not_shift_speech_against_its_labels(bank: Bank) -> None:
    click = np.zeros(RATE, np.float32)
    click[1000] = 1.0
    for number in range(10):
        wet = degrade(click, RATE, "room", str(number), 1, bank)
        assert np.abs(wet[:1000]).max() < 1e-4
        assert wet[1000] > 0.05


def test_reverberation_lasts_as_long_as_asked() -> None:
    lengths = []
    for number in range(12):
        response = impulse_response(np.random.default_rng(number), RATE).astype(np.float64)
        assert np.sum(response**2) == pytest.approx(1, rel=1e-4)
        assert response[0] > 0
        energy = np.cumsum(response[::-1] ** 2)[::-1]
        level = 10 * np.log10(energy / energy[0])
        lengths.append(3 * (np.argmax(level < -25) - np.argmax(level < -5)) / RATE)
    assert 0.1 < min(lengths) < 0.4 < max(lengths) < 0.9


def test_clean_and_silence_stay(clips: list[Clip], bank: Bank) -> None:
    assert degrade(clips[0].samples, RATE, "clean", "a", 1, bank) is clips[0].samples
    silence = np.zeros(RATE, np.float32)
    for condition in ("babble-10", "room"):
        assert np.isfinite(degrade(silence, RATE, condition, "a", 1, bank)).all()


def test_wrong_conditions(bank: Bank) -> None:
    with pytest.raises(ValueError, match="did you mean 'babble-10'"):
        check_condition("babbel-10")
    with pytest.raises(ValueError, match="not a condition"):
        degrade(np.ones(10, np.float32), RATE, "street-10", "a", 1, bank)
    nothing = Bank(np.zeros(0, np.float32), np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="noise bank"):
        degrade(np.ones(10, np.float32), RATE, "babble-10", "a", 1, nothing)


@pytest.mark.parametrize(("use", "other_use"), itertools.combinations(USES, 2))
def test_no_two_uses_share_noise(corpus_run: Recipe, recorded, use: str, other_use: str) -> None:
    banks = load_bank(corpus_run.run, use, RATE), load_bank(corpus_run.run, other_use, RATE)
    for kind in KINDS:
        mine, other = (getattr(bank, kind) for bank in banks)
        assert min(len(mine), len(other)) > 30 * RATE
        # No second of one is anywhere in the other.
        piece = other[20 * RATE : 21 * RATE]
        found = np.fft.irfft(np.fft.rfft(mine, 2**22) * np.conj(np.fft.rfft(piece, 2**22)))
        assert np.abs(found[: len(mine)]).max() < 0.9 * np.sum(piece**2)
    one, two = recorded.noise[use], recorded.noise[other_use]
    assert not set(itertools.chain(*one.babble)) & set(itertools.chain(*two.babble))
    assert not set(one.effects) & set(two.effects)
