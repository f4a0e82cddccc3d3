"""Synthetic speech of many voices in noise: small transducers can learn it, and it is hard enough that they err.

SVOX Pico has two English voices; a talker is one of them at a pitch and a tempo of its own. A small grammar makes the
sentences, and each is said once. The noise is speech-shaped: it has the sentence's own spectrum and random phases.
It shows which of two recognisers learns better; its error rates say nothing about people's speech.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from ssl_asr.corpus.open_speech.synthesis import RATE, sentences
from ssl_asr.corpus.seeding import generator
from ssl_asr.progress import Progress

_VOICES = ("en-US", "en-GB")
_PITCHES, _TEMPOS = (0.7, 1.4), (0.85, 1.2)  # of the voice's own
_SHORTEST = 1.2  # seconds of a sentence, about
_LOUDEST = 0.95  # of full scale

Waveform = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """How much of one split, and by how many talkers, who are in no other."""

    minutes: float
    talkers: int


PARTS: Mapping[str, Part] = {
    "labeled": Part(60, 40),
    "unlabeled": Part(60, 20),
    "dev": Part(8, 6),
    "test": Part(60, 40),
}


@dataclass(frozen=True)
class Talker:
    """`pitch` and `tempo` are factors of the voice's own."""

    name: str
    voice: str
    pitch: float
    tempo: float


def write_voices(folder: Path, parts: Mapping[str, Part], snr_db: tuple[float, float], seed: int) -> None:
    """Write FLAC files, and for each of `parts` a NeMo list SPLIT.jsonl and its words as SPLIT-words.jsonl.

    Those are for `hypotheses.teacher`, as of a recogniser that makes no errors.
    Each sentence has a signal-to-noise ratio between the two of `snr_db`. Equal arguments give the same sentences to
    the same talkers, but the synthesiser's sound is not quite the same twice. ValueError if it isn't installed.
    """
    speak = _synthesiser()
    minutes = sum(part.minutes for part in parts.values())
    texts = iter(sentences(round(60 * minutes / _SHORTEST) + len(parts), seed))
    progress = Progress("synthesising speech", minutes, "minutes")
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in parts.items():
        talkers = itertools.cycle([talker_of(split, number, seed) for number in range(part.talkers)])
        lines, words, left = list[str](), list[str](), 60 * part.minutes
        while left > 0:
            talker, text, rng = next(talkers), next(texts), generator(seed, "noise", split, str(len(lines)))
            heard = in_noise(speak(talker, text), rng.uniform(*snr_db), rng)
            name, seconds = f"{split}-{len(lines):05d}", len(heard) / RATE
            soundfile.write(folder / f"{name}.flac", heard, RATE)
            entry = {"audio_filepath": f"{name}.flac", "duration": seconds, "text": text, "speaker": talker.name}
            lines.append(json.dumps(entry) + "\n")
            words.append(json.dumps({"id": name, "hypothesis": text}) + "\n")
            progress.advance(min(seconds, left) / 60)
            left -= seconds
        (folder / f"{split}.jsonl").write_text("".join(lines))
        (folder / f"{split}-words.jsonl").write_text("".join(words))


def talker_of(split: str, number: int, seed: int) -> Talker:
    """The talker `number` of a split."""
    rng = random.Random(f"{seed} {split} {number}")
    pitch, tempo = (round(rng.uniform(*limits), 3) for limits in (_PITCHES, _TEMPOS))
    return Talker(f"{split}-{number:03d}", rng.choice(_VOICES), pitch, tempo)


def in_noise(samples: Waveform, snr_db: float, rng: np.random.Generator) -> Waveform:
    """The samples [n] in noise of their own long-term spectrum, `snr_db` below their mean power; never clipped."""
    spectrum = np.abs(np.fft.rfft(samples))
    noise = np.fft.irfft(spectrum * np.exp(2j * np.pi * rng.random(len(spectrum))), len(samples))
    power, other = (float(np.mean(np.square(each))) for each in (samples, noise))
    if power == 0 or other == 0:
        return samples
    heard = samples + noise * np.sqrt(power / other * 10 ** (-snr_db / 10))
    return heard * min(1.0, _LOUDEST / np.abs(heard).max())


def _synthesiser() -> Callable[[Talker, str], Waveform]:
    try:
        from py_nanotts import NanoTTS
    except ImportError as error:
        raise ValueError("the synthesiser is not installed: pip install 'ssl-asr[synthetic]'") from error
    synthesiser = NanoTTS()

    def speak(talker: Talker, text: str) -> Waveform:
        pcm = synthesiser.speak(text, voice=talker.voice, pitch=talker.pitch, speed=talker.tempo)
        return np.frombuffer(pcm, "<i2") / 32768

    return speak
