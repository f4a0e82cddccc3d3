"""Hours of real audio that the front end turns into features in one hour of one core.

`python -m jobs.bench.frontend [--minutes N] [key=value ...]` prints a table, then one JSON object as the last line.
It measures an actor's work on a shard (read, degrade, filter bank, running mean, statistics, write), the parts of
this work, and a plain loop over utterances with a filter bank in numpy and scipy. That filter bank is faster; the
front end uses kaldi-native-fbank because it computes Kaldi's own features. Times are processor times, so a busy
machine changes them little. The median of three rounds is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
from threadpoolctl import threadpool_limits

from jobs.bench.rounds import afresh, median_seconds
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.augment.noise import Bank, bank_use, degrade, load_bank
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.frontend.extract import ExtractedUtterance, Extractor
from ssl_asr.frontend.lfbe import lfbe
from ssl_asr.frontend.prior import Prior, measure_prior
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.frontend.streams import normalise
from ssl_asr.recipe import Frontend, Recipe, load_recipe
from ssl_asr.store import utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

SPLIT = "unlabeled"
ROUNDS = 3
Waveform = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BenchSpeech:
    """What is measured: shards of a run, their utterances and how long they last together."""

    recipe: Recipe
    shards: list[Shard]
    utterances: list[Utterance]
    seconds: float
    bank: Bank
    prior: Prior


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the demo recipe")
    parser.add_argument("--minutes", type=float, default=10.0, help="of speech (default: 10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssl-asr-frontend-") as folder:
        try:
            speech = prepare(options.minutes, [*options.overrides, f"run={folder}"])
        except ValueError as error:
            sys.exit(f"frontend: {error}")
        with threadpool_limits(1):  # waiting threads of a matrix product would count as processor time
            figures = measure(speech, Path(folder))
    show(speech, figures)
    print(json.dumps({name.replace(" ", "_").replace(",", ""): round(value, 1) for name, value in figures.items()}))


def prepare(minutes: float, overrides: list[str]) -> BenchSpeech:
    """A small run on the recorded speech, in the conditions of the recipe, with its prior."""
    sizes = ["corpus.labeled_minutes=2", "corpus.dev_minutes=1", "corpus.test_minutes=0.4", "corpus.shard_minutes=5"]
    cache = os.environ.get("SSL_ASR_CACHE", str(Path(__file__).parents[2] / ".cache"))
    defaults = [*sizes, f"corpus.unlabeled_minutes={minutes}", f"corpus.cache={cache}"]
    recipe = load_recipe("demo", [*defaults, *overrides])
    run_corpus(recipe)
    manifest = ShardStore(recipe.run, utterance.STORE)
    shards = [entry.shard for entry in manifest.entries(SPLIT)]
    rows = [row for shard in shards for slab in manifest.read_slabs(shard) for row in utterance.decode(slab)]
    bank = load_bank(recipe.run, bank_use(SPLIT), recipe.frontend.sample_rate)
    prior = measure_prior(recipe, manifest.shards("labeled"))
    return BenchSpeech(recipe, shards, rows, sum(row.duration for row in rows), bank, prior)


def measure(speech: BenchSpeech, folder: Path) -> dict[str, float]:
    """Times real time of one core by name."""
    rate, frontend = speech.recipe.frontend.sample_rate, speech.recipe.frontend
    clean = [read(row, rate) for row in speech.utterances]
    heard = [degraded(row, samples, speech) for row, samples in zip(speech.utterances, clean, strict=True)]
    frames = [
        ExtractedUtterance(row, lfbe(samples, frontend))
        for row, samples in zip(speech.utterances, heard, strict=True)
    ]
    job, extractor = FeatureJob(speech.recipe, speech.prior), Extractor(speech.recipe, SPLIT)
    work: dict[str, Callable[[], object]] = {
        "x real time": lambda: list(map(partial(afresh, job), speech.shards)),
        "read": lambda: [read(row, rate) for row in speech.utterances],
        "read, degrade, LFBE": lambda: extractor.all_frames(speech.utterances),
        "LFBE": lambda: [lfbe(samples, frontend) for samples in heard],
        "floor and running mean": lambda: normalise(frames, speech.prior.array(), speech.prior.level, frontend),
        "baseline": lambda: plain_loop(speech, folder / "baseline.npz"),
        "baseline LFBE": lambda: [plain_lfbe(samples, frontend) for samples in heard],
        "baseline running mean": lambda: [plain_mean(item.frames, speech.prior.array(), frontend) for item in frames],
    }
    return {name: speech.seconds / seconds for name, seconds in median_seconds(work, ROUNDS).items()}


def read(row: Utterance, rate: int) -> Waveform:
    return read_audio(row.audio, row.offset, row.duration, row.channel, rate)


def degraded(row: Utterance, samples: Waveform, speech: BenchSpeech) -> Waveform:
    rate, seed = speech.recipe.frontend.sample_rate, speech.recipe.seed
    return degrade(samples, rate, row.condition, row.id, seed, speech.bank)


def plain_loop(speech: BenchSpeech, target: Path) -> None:
    """The baseline: utterance by utterance, numpy and scipy, a running mean frame by frame, one compressed file."""
    rows: dict[str, Any] = {}
    for row in speech.utterances:
        samples = degraded(row, read(row, speech.recipe.frontend.sample_rate), speech)
        frames = plain_lfbe(samples, speech.recipe.frontend)
        rows[row.id] = plain_mean(frames, speech.prior.array(), speech.recipe.frontend).astype(np.float16)
    np.savez_compressed(target, **rows)


def plain_lfbe(samples: Waveform, frontend: Frontend) -> Frames:
    window, hop = frontend.sample_rate // 40, frontend.sample_rate // 100
    count = (len(samples) + hop // 2) // hop
    before = window // 2 - hop // 2
    padded = np.pad(samples * np.float32(32768), (before, window), mode="symmetric")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - np.float32(0.97) * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    taper, triangles = _plain_constants(frontend, window)
    spectrum = scipy.fft.rfft(frames * taper, 1 << (window - 1).bit_length())
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.log(np.maximum(power @ triangles, 1.0))


@lru_cache
def _plain_constants(frontend: Frontend, window: int) -> tuple[Frames, Frames]:
    def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    size = 1 << (window - 1).bit_length()
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))) ** 0.85
    corners = np.linspace(mel(frontend.low_hz), mel(frontend.high_hz), frontend.mel_bins + 2)
    bins = mel(np.arange(size // 2 + 1) * frontend.sample_rate / size)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return taper.astype(np.float32), triangles.astype(np.float32)


def plain_mean(frames: Frames, prior: npt.NDArray[np.float64], frontend: Frontend) -> Frames:
    decay = np.exp(-0.01 / frontend.mean_memory_seconds)
    weight = frontend.mean_prior_seconds / 0.01
    total, result = weight * prior, np.empty_like(frames)
    for index, frame in enumerate(frames):
        total, weight = decay * total + frame, decay * weight + 1
        result[index] = frame - total / weight
    return result


def show(speech: BenchSpeech, figures: dict[str, float]) -> None:
    labels = {
        "x real time": "front end: a whole shard job",
        "read": "  read and resample",
        "read, degrade, LFBE": "  read, degrade, filter bank",
        "LFBE": "  filter bank alone (kaldi-native-fbank)",
        "floor and running mean": "  floor and running mean alone (recursive filters)",
        "baseline": "baseline: a plain loop in numpy and scipy",
        "baseline LFBE": "  filter bank alone",
        "baseline running mean": "  running mean alone (frame by frame)",
    }
    count = len(speech.utterances)
    print(f"{speech.seconds / 60:.1f} minutes of recorded speech, {count} utterances, {len(speech.shards)} shards")
    print(f"{'hours of audio in an hour of one core':<48}{'x real time':>12}")
    for name, label in labels.items():
        print(f"{label:<48}{figures[name]:>12.0f}")


if __name__ == "__main__":
    main()
