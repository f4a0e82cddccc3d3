"""Is the memory flat over hours of audio: of a live stream, and of one long file?

`python -m jobs.bench.hours BUNDLE [--hours N]` prints a table, then one JSON object as the last line. The audio is
of real clips with pauses between them, and goes on for N hours: half an hour of it comes again and again. A stream
hears it in chunks of 100 ms as fast as it goes, and the partial result is asked for after each chunk. Then the same
hours, as a FLAC file, are transcribed, which cuts them by voice activity. Each has its own process. The growth is
from the largest memory of the first sixth to the largest of all, in MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import soundfile

from jobs.bench.segment import SAMPLE_RATE, recording
from ssl_asr.corpus.audio import audio_blocks
from ssl_asr.progress import Progress
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.streaming.listening import in_chunks
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber

AGAIN_SECONDS = 1800
CHUNK_SECONDS = 0.1
PARTS = 6


@dataclass(frozen=True)
class Run:
    """Of `seconds` of audio in `spent` seconds of processor time: words, and the memory at the end of each part."""

    name: str
    seconds: float
    spent: float
    words: int
    megabytes: tuple[float, ...]

    @property
    def growth(self) -> float:
        return max(self.megabytes) - self.megabytes[0]

    def line(self) -> str:
        sizes = "".join(f"{size:>7.0f}" for size in self.megabytes)
        return f"{self.name:<14}{self.seconds / 3600:>6.2f}{self.seconds / self.spent:>13.1f}{self.words:>8}{sizes}"


class Memory:
    """The largest resident size of this process in each sixth of the audio."""

    def __init__(self, name: str, seconds: float) -> None:
        self._process, self._seconds = psutil.Process(), seconds
        self._sizes = [0.0] * PARTS
        self._progress, self._told = Progress(name, round(seconds), "s of audio"), 0

    def look(self, seconds: float) -> None:
        if seconds - self._told < 10:
            return
        part = min(int(PARTS * seconds / self._seconds), PARTS - 1)
        self._sizes[part] = max(self._sizes[part], self._process.memory_info().rss / 1e6)
        self._progress.advance(int(seconds) - self._told)
        self._told = int(seconds)

    @property
    def megabytes(self) -> tuple[float, ...]:
        return tuple(self._sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", metavar="BUNDLE", help="what `ssl-asr export` made")
    parser.add_argument("--hours", type=float, default=3.0, help="of audio (default: 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssl-asr-hours-") as folder:
        file = str(Path(folder, "long.flac"))
        write(file, 3600 * options.hours)
        runs = [alone(work, options.bundle, file) for work in (streamed, transcribed)]
    names = "".join(f"{f'{part + 1}/{PARTS}':>7}" for part in range(PARTS))
    print(f"{'':<14}{'hours':>6}{'x real time':>13}{'words':>8}{names}  largest MB of each part")
    print("\n".join(run.line() for run in runs))
    print(json.dumps({f"mb_growth_{run.name.split()[-1]}": round(run.growth, 1) for run in runs}))


def write(file: str, seconds: float) -> None:
    audio, samples = recording(min(AGAIN_SECONDS, seconds) / 60), round(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, "PCM_16") as out:
        while samples:
            out.write(audio[:samples])
            samples -= min(samples, len(audio))


def alone(work: Callable[[str, str], Run], bundle: str, file: str) -> Run:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, bundle, file).result()


def streamed(bundle: str, file: str) -> Run:
    engine = Engine.open(bundle)
    memory, words = Memory("a live stream", seconds := soundfile.info(file).duration), 0
    stream, began = engine.stream(), time.process_time()
    for chunk in in_chunks(audio_blocks(file, engine.sample_rate), round(CHUNK_SECONDS * engine.sample_rate)):
        words += sum(len(final.words) for final in stream.accept(chunk))
        stream.partial()
        memory.look(stream.seconds)
    words += sum(len(final.words) for final in stream.finish())
    return Run("live stream", seconds, time.process_time() - began, words, memory.megabytes)


def transcribed(bundle: str, file: str) -> Run:
    engine = Engine.open(bundle)
    memory = Memory("one long file", seconds := soundfile.info(file).duration)
    began = time.process_time()
    found = Transcriber(engine).transcribe(AudioInput("long", file), lambda segment: memory.look(segment.end))
    words = sum(len(segment.words) for segment in found.segments)
    return Run("one long file", seconds, time.process_time() - began, words, memory.megabytes)


if __name__ == "__main__":
    main()
