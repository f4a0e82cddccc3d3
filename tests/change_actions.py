"""What a change does to the speech or the run, each a function of the folder of sources and of that of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.lang.lexicon import cmudict
from ssl_asr.lang.text import A_TO_Z


def write(file: Path, rows: Sequence[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def add(split: str) -> Callable[[Path, Path], None]:
    """Speech of a new speaker."""

    def change(sources: Path, run: Path) -> None:
        file = sources / f"{split}.jsonl"
        spare = [{**row, "speaker": "new", "id": f"new-{row['id']}"} for row in rows_of(sources / "spare.jsonl")]
        write(file, rows_of(file) + spare)

    return change


def add_a_long_recording(sources: Path, run: Path) -> None:
    """Of a new speaker: utterances one after the other, with pauses."""
    parts = list[np.ndarray]()
    for row in rows_of(sources / "spare.jsonl"):
        times = float(str(row["offset"])), float(str(row["duration"]))
        parts += [read_audio(str(row["audio_filepath"]), *times, 0, 16000), np.zeros(16000, np.float32)]
    soundfile.write(sources / "long.flac", np.concatenate(parts), 16000)
    file = sources / "unlabeled.jsonl"
    write(file, [*rows_of(file), {"audio_filepath": "long.flac", "speaker": "new"}])


def drop_last(split: str) -> Callable[[Path, Path], None]:
    def change(sources: Path, run: Path) -> None:
        file = sources / f"{split}.jsonl"
        write(file, rows_of(file)[:-1])

    return change


def more_text(sources: Path, run: Path) -> None:
    with (sources / "sentences.txt").open("a") as file:
        file.write("it was a dark and stormy night\n")


def lose(pattern: str) -> Callable[[Path, Path], None]:
    def change(sources: Path, run: Path) -> None:
        sorted(run.glob(pattern))[0].unlink()

    return change


def nothing(sources: Path, run: Path) -> None: ...


def correct_a_text(sources: Path, run: Path) -> None:
    file = sources / "labeled.jsonl"
    first, *others = rows_of(file)
    write(file, [{**first, "text": str(others[0]["text"])}, *others])


def outside_alignments(sources: Path, run: Path) -> None:
    """All phones of an utterance equally long."""
    said = cmudict().pronunciations
    with (sources / "phones.ctm").open("w") as file:
        for row in rows_of(sources / "labeled.jsonl"):
            words = A_TO_Z.normalise(str(row["text"])).split()
            phones = [phone for word in words if word in said for phone in said[word][0]]
            length = float(str(row["duration"])) / max(len(phones), 1)
            for number, phone in enumerate(phones):
                file.write(f"{row['id']} 1 {length * number:.3f} {length:.3f} {phone}\n")
