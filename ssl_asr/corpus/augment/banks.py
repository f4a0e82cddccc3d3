"""Noise banks of a run: one long babble and one sequence of sound effects, for training, dev and test."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import soundfile

from ssl_asr.corpus.audio import audio_info, read_audio
from ssl_asr.corpus.augment.noise import KINDS, USES
from ssl_asr.corpus.open_speech.speech import NoiseClips, open_speech
from ssl_asr.corpus.seeding import generator
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import non_defaults
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import bank_inputs_uri, bank_uri
from ssl_asr.store.ledger import checksum

VERSION = "2"  # raise where equal recordings and seed give other noise
Waveform = npt.NDArray[np.float32]
RATE = 11025  # at least the rate of every recording
_VOICES = 6  # at the same time in babble
_BABBLE_SECONDS = 120
_EDGE = 0.02  # of a clip's peak: quieter starts and ends are cut off
_PEAK = 0.9


def ensure_banks(recipe: Recipe) -> None:
    """Write all banks, from recordings of open speech, unless they are there and made from the same."""
    inputs = {"version": VERSION, **non_defaults(recipe, "noise")}
    uri = bank_inputs_uri(recipe.run)
    data = json.dumps(inputs, sort_keys=True).encode()
    banks = [bank_uri(recipe.run, use, kind) for use in USES for kind in KINDS]
    if all(map(filesystem.exists, [uri, *banks])) and filesystem.read_bytes(uri) == data:
        return
    noise = open_speech(recipe.corpus.cache).noise
    for use in USES:
        write_banks(recipe.run, use, noise[use], recipe.seed)
    filesystem.write_bytes(uri, data)


def banks_checksum(run: str, use: str) -> str:
    """Of the noise for `use`, "train", "dev" or "test"."""
    uris = [bank_uri(run, use, kind) for kind in KINDS]
    return checksum(b"".join(filesystem.read_bytes(uri) for uri in uris if filesystem.exists(uri)))


def write_banks(run: str, use: str, clips: NoiseClips, seed: int) -> None:
    """Write the babble and effects banks of `use`, "train", "dev" or "test", deterministically."""
    _write(bank_uri(run, use, "babble"), babble(clips.babble, seed))
    made = effects(clips.effects, seed) if clips.effects else made_up_effects(seed, use)
    _write(bank_uri(run, use, "effects"), made)


def babble(talkers: Sequence[Sequence[str]], seed: int) -> Waveform:
    """Six voices at the same time, each a talker's clips end to end; a talker may be several of the voices."""
    total = np.zeros(_BABBLE_SECONDS * RATE, np.float32)
    progress = Progress("mixing babble", _VOICES, "voices")
    for voice in range(_VOICES):
        files = list(talkers[voice % len(talkers)])
        rng = generator(seed, "babble", str(voice))
        rng.shuffle(files)
        at, tried = 0, 0
        while at < len(total):
            if tried == len(files) and not at:
                raise ValueError(f"{files[0]} and the other files of its talker are silent; fetch them again")
            clip = _levelled(files[tried % len(files)])
            tried += 1
            part = clip[: len(total) - at]
            total[at : at + len(part)] += part
            at += len(part)
        progress.advance()
    return total


def effects(files: Sequence[str], seed: int) -> Waveform:
    """All effects end to end, equally loud, in random order."""
    order = list(files)
    generator(seed, "effects").shuffle(order)
    return np.concatenate([_levelled(file) for file in order])


def made_up_effects(seed: int, use: str) -> Waveform:
    """A minute of bursts of filtered noise and hum, for runs without recorded effects."""
    rng = generator(seed, "made-up effects", use)
    bursts = []
    for _ in range(60):
        length = int(rng.uniform(0.4, 1.6) * RATE)
        spectrum = np.fft.rfft(rng.standard_normal(length))
        hertz = np.fft.rfftfreq(length, 1 / RATE)
        spectrum *= np.exp(-np.square(np.log2((hertz + 1) / rng.uniform(150, 3000)) / rng.uniform(0.3, 2.0)))
        burst = np.fft.irfft(spectrum, length)
        bursts.append(burst / np.sqrt(np.mean(burst**2)))
    return np.concatenate(bursts).astype(np.float32)


def _levelled(file: str) -> Waveform:
    """The clip without silent ends, of power one; nothing of an empty file: Debian's Russian prompts have one."""
    if not os.path.getsize(file):
        return np.zeros(0, np.float32)
    samples = read_audio(file, 0.0, audio_info(file).seconds, 0, RATE)
    loud = np.flatnonzero(np.abs(samples) > _EDGE * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]
    power = np.mean(samples**2) if len(samples) else 0.0
    return samples / np.sqrt(power) if power > 0 else samples[:0]


def _write(uri: str, samples: Waveform) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples * (_PEAK / np.abs(samples).max()), RATE, subtype="PCM_16", format="WAV")
    filesystem.write_bytes(uri, buffer.getvalue())
