"""The lists that the benchmark `corpus` reads: of utterances with lengths and speakers, without texts."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from ssl_asr.progress import Progress

SPEAKER_UTTERANCES = 250  # of 10 s in the mean, 40 minutes
ROW_GROUP = 10_000
SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Form:
    """`write_part` takes a path, the numbers of the utterances and their seconds. `read_part` reads such a file with
    a library and does nothing with it. Keys of the benchmark begin with `prefix`.
    """

    name: str
    reader: str
    ending: str
    prefix: str
    library: str
    write_part: Callable[[Path, range, Sequence[float]], None]
    read_part: Callable[[Path], None]

    def source(self, folder: str) -> str:
        """Of a recipe, for the lists in a folder or below a URI."""
        return f"{self.reader}:{folder}/*{self.ending}"

    def write(self, folder: Path, count: int, files: int) -> Path:
        folder.mkdir()
        random = np.random.default_rng(0)
        progress = Progress(f"writing {count:,} rows of {self.name}", files, "files")
        for file in range(files):
            numbers = range(count * file // files, count * (file + 1) // files)
            lengths = random.uniform(4, 16, len(numbers)).round(2).tolist()
            self.write_part(folder / f"part-{file:04}{self.ending}", numbers, lengths)
            progress.advance()
        return folder

    def read_alone(self, folder: Path) -> float:
        """Processor seconds for all lists."""
        began = time.process_time()
        for file in folder.iterdir():
            self.read_part(file)
        return time.process_time() - began


def _write_jsonl(path: Path, numbers: range, seconds: Sequence[float]) -> None:
    with open(path, "w") as lines:
        for name, speaker, length in _utterances(numbers, seconds):
            audio = f"/speech/audio/{name}"
            lines.write(f'{{"audio_filepath": "{audio}", "duration": {length}, "speaker": "{speaker}"}}\n')


def _read_jsonl(path: Path) -> None:
    for line in path.read_bytes().split(b"\n"):
        if line:
            json.loads(line)


def _write_parquet(path: Path, numbers: range, seconds: Sequence[float]) -> None:
    """As Hugging Face's datasets: audio is a struct of bytes and path. The bytes are a file of a hundredth second."""
    names, speakers, lengths = zip(*_utterances(numbers, seconds), strict=True)
    data = pa.array([_flac(0.01)] * len(names), pa.binary())
    audio = pa.StructArray.from_arrays([data, pa.array(names)], ["bytes", "path"])
    table = pa.table({"audio": audio, "speaker_id": pa.array(speakers), "duration": pa.array(lengths)})
    pq.write_table(table, path, row_group_size=ROW_GROUP)


def _read_parquet(path: Path) -> None:
    pq.read_table(path, columns=["audio.path", "speaker_id", "duration"]).to_pylist()


def _utterances(numbers: range, seconds: Sequence[float]) -> Iterator[tuple[str, str, float]]:
    """The path, speaker and seconds of each."""
    for number, length in zip(numbers, seconds, strict=True):
        speaker = number // SPEAKER_UTTERANCES
        yield f"{speaker:07d}/{number:010d}.flac", f"s{speaker:07d}", length


def write_audio(folder: Path, count: int) -> Path:
    """A NeMo manifest of so many audio files of 4 s, all one file by other names, without their lengths."""
    folder.mkdir()
    first = folder / "first.flac"
    first.write_bytes(_flac(4.0))
    with open(folder / "list.jsonl", "w") as lines:
        for number in range(count):
            name = f"{number:07d}.flac"
            os.link(first, folder / name)
            lines.write(json.dumps({"audio_filepath": name}) + "\n")
    return folder / "list.jsonl"


def write_small(folder: Path) -> Path:
    """A list for the other splits."""
    (folder / "a.flac").write_bytes(_flac(4.0))
    rows = [
        {"audio_filepath": "a.flac", "id": f"{place}", "text": "one of a few", "speaker": "a"} for place in range(5)
    ]
    (folder / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "small.jsonl"


def _flac(seconds: float) -> bytes:
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(SAMPLE_RATE * seconds))
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="FLAC")
    return file.getvalue()


FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form("jsonl", "nemo", ".jsonl", "", "json.loads", _write_jsonl, _read_jsonl),
        Form("parquet", "parquet", ".parquet", "parquet_", "pyarrow", _write_parquet, _read_parquet),
    )
}
