"""Simulated degradation of speech: babble, sound effects and rooms, by the name of a condition.

"clean" is the audio as recorded; "babble-10" and "effects-10" add noise at 10 dB below the speech, both powers taken
over the whole utterance; "room" is reverberation. Random choices depend only on the seed and the utterance's id. A
condition may begin with a speed, as in "speed-0.9" and "speed-0.9+babble-10" (`speed.py`): the speech has that speed
when it is read, the noise keeps its own.
"""

from __future__ import annotations

import difflib
import io
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ssl_asr.corpus.augment.rooms import impulse_response, reverberate
from ssl_asr.corpus.augment.speed import check_speed, split_speed
from ssl_asr.corpus.seeding import generator
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import bank_uri
from ssl_asr.store.utterance import CLEAN

Waveform = npt.NDArray[np.float32]
KINDS = ("babble", "effects")
USES = ("train", "dev", "test")
_NOISY = re.compile(r"(babble|effects)-(-?\d+(?:\.\d+)?)")
_EXAMPLES = (CLEAN, "room", "speed-0.9", *(f"{kind}-{ratio}" for kind in KINDS for ratio in (20, 10, 5, 0)))


@dataclass(frozen=True)
class Bank:
    """Recorded noise at the front end's rate, each [samples]; empty if the run has none of that kind."""

    babble: Waveform
    effects: Waveform


def check_condition(name: str) -> None:
    """ValueError with the nearest valid name if `name` is not a condition."""
    check_speed(name)
    _, noise = split_speed(name)
    if noise in (CLEAN, "room") or _NOISY.fullmatch(noise):
        return
    near = difflib.get_close_matches(name, _EXAMPLES, 1, cutoff=0.4)
    fix = f"did you mean '{near[0]}'?" if near else "use clean, room, babble-<dB>, effects-<dB> or speed-<factor>"
    raise ValueError(f"'{name}' is not a condition; {fix}")


def noise_kind(condition: str) -> str | None:
    """Which kind of recorded noise the condition needs, if any."""
    match = _NOISY.fullmatch(split_speed(condition)[1])
    return match[1] if match else None


def bank_use(split: str) -> str:
    """The bank for a split's audio: training, dev and test share no noise."""
    return split if split in ("dev", "test") else "train"


def load_bank(run: str, use: str, sample_rate: int) -> Bank:
    """The noise of a run for `use` "train", "dev" or "test", resampled."""
    return Bank(**{kind: _load(bank_uri(run, use, kind), sample_rate) for kind in KINDS})


def _load(uri: str, sample_rate: int) -> Waveform:
    if not filesystem.exists(uri):
        return np.zeros(0, np.float32)
    try:
        samples, rate = soundfile.read(io.BytesIO(filesystem.read_bytes(uri)), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{uri} is not a whole WAV file; delete it and run the corpus stage again") from error
    if rate != sample_rate:
        samples = soxr.resample(samples, rate, sample_rate, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def degrade(
    waveform: Waveform, sample_rate: int, condition: str, utterance_id: str, seed: int, bank: Bank
) -> Waveform:
    """`waveform` [samples], at the condition's speed already, with its noise: same length, speech at the same place.

    ValueError where the condition is unknown or the bank lacks its noise.
    """
    check_condition(condition)
    _, noise_name = split_speed(condition)
    if noise_name == CLEAN:
        return waveform
    rng = generator(seed, "degrade", utterance_id)
    match = _NOISY.fullmatch(noise_name)
    if match is None:
        return reverberate(waveform, impulse_response(rng, sample_rate))
    noise = bank.babble if match[1] == "babble" else bank.effects
    if len(noise) == 0:
        raise ValueError(f"condition {condition} needs a noise bank that this run lacks; run the corpus stage again")
    return _add(waveform, _segment(noise, len(waveform), rng), float(match[2]))


def _segment(noise: Waveform, length: int, rng: np.random.Generator) -> Waveform:
    """A segment of `noise` from a random place; after the end it continues at the start."""
    start = int(rng.integers(len(noise)))
    return np.take(noise, np.arange(start, start + length), mode="wrap")


def _add(waveform: Waveform, noise: Waveform, decibels: float) -> Waveform:
    speech_power = float(np.mean(np.square(waveform, dtype=np.float64)))
    noise_power = float(np.mean(np.square(noise, dtype=np.float64)))
    if noise_power == 0.0:
        return waveform
    gain = np.sqrt(speech_power / noise_power / 10 ** (decibels / 10))
    return (waveform + gain * noise).astype(np.float32)
