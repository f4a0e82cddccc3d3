"""Public corpora in the layouts that their archives have, of recorded clips."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tests.corpus.conftest import Clip

MP3_RATE, MP3_FRAME = 48000, 1152
CV_COLUMNS = (
    *("client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes", "age", "gender"),
    *("accents", "variant", "locale", "segment"),
)


def with_numbers(clips: Iterable[Clip]) -> list[Clip]:
    """The clips, with numbers for their speakers."""
    found = list(clips)
    numbers = {
        speaker: str(100 + place) for place, speaker in enumerate(dict.fromkeys(each.speaker for each in found))
    }
    return [replace(clip, speaker=numbers[clip.speaker]) for clip in found]


def librispeech(folder: Path, clips: Sequence[Clip], chapter: int = 7) -> Path:
    """A set of LibriSpeech: SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac and a trans.txt a chapter."""
    for place, clip in enumerate(clips):
        stem = f"{clip.speaker}-{chapter}"
        inside = folder / clip.speaker / str(chapter)
        _write(inside / f"{stem}-{place:04d}.flac", clip)
        with (inside / f"{stem}.trans.txt").open("a") as file:
            file.write(f"{stem}-{place:04d} {clip.text.upper()}\n")
    return folder


def librispeech_finetuning(folder: Path, clips: Sequence[Clip]) -> Path:
    """1h/0 to 1h/5, 9h and phones: a clip each in 1h/0/clean, 1h/5/other and 9h/clean, of different chapters."""
    for place, part in enumerate(("1h/0/clean", "1h/5/other", "9h/clean")):
        librispeech(folder / part, clips[place : place + 1], chapter=place)
    (folder / "phones").mkdir()
    (folder / "phones" / "10min_phones.txt").write_text("100-0-0000 14 14 3\n")
    return folder


def libri_light(folder: Path, clips: Sequence[Clip], pause: float = 0.5) -> Path:
    """small/SPEAKER/BOOK with a recording of all clips of a speaker, pauses before and between them, and its JSON."""
    for speaker in dict.fromkeys(each.speaker for each in clips):
        spoken, voice, at = list[np.ndarray](), list[tuple[float, float]](), 0.0
        for clip in (each for each in clips if each.speaker == speaker):
            # In frames of 80 ms, and so to a hundredth of a second.
            length = math.floor(len(clip.samples) / clip.rate / 0.08) * 0.08
            spoken += [np.zeros(round(pause * clip.rate), np.float32), clip.samples[: round(length * clip.rate)]]
            voice.append((round(at + pause, 2), round(at + pause + length, 2)))
            at += pause + length
        stem = folder / "small" / speaker / f"book_{speaker}_librivox_64kb_mp3" / f"01_book_{speaker}_64kb"
        stem.parent.mkdir(parents=True)
        soundfile.write(stem.with_suffix(".flac"), np.concatenate(spoken), 16000)
        told = {"speaker": speaker, "book_meta": {"id": "2626", "genre": []}, "snr": 11.4471, "voice_activity": voice}
        stem.with_suffix(".json").write_text(json.dumps(told, indent=1))
    return folder


def mls(folder: Path, clips: Sequence[Clip], ending: str = ".flac") -> Path:
    """A folder train: audio/SPEAKER/BOOK/SPEAKER_BOOK_NUMBER.flac, transcripts.txt, segments.txt and handles.txt."""
    lines = {}
    for place, clip in enumerate(clips):
        name = f"{clip.speaker}_10049_{place:06d}"
        lines[name] = clip.text.lower()
        _write(folder / "audio" / clip.speaker / "10049" / f"{name}{ending}", clip)
    (folder / "transcripts.txt").write_text("".join(f"{name}\t{text}\n" for name, text in lines.items()))
    (folder / "segments.txt").write_text("".join(f"{name}\thttp://www.archive.org/x.mp3\t1\t2\n" for name in lines))
    for part, some in (("9hr", [*lines][:2]), ("1hr/0", [*lines][2:3]), ("1hr/5", [*lines][3:4])):
        handles = folder / "limited_supervision" / part / "handles.txt"
        handles.parent.mkdir(parents=True)
        handles.write_text("".join(f"{name}\n" for name in some))
    return folder


def common_voice(folder: Path, lists: dict[str, Sequence[Clip]]) -> Path:
    """The folder of a language, here cy: a list for each of train, dev, ..., clips/*.mp3 and clip_durations.tsv."""
    durations, number = ["clip\tduration[ms]\n"], 17_000_000
    for name, clips in lists.items():
        rows = ["\t".join(CV_COLUMNS) + "\n"]
        for clip in clips:
            number += 1
            path = f"common_voice_cy_{number}.mp3"
            durations.append(f"{path}\t{write_mp3(folder / 'clips' / path, clip)}\n")
            known = {"client_id": f"{int(clip.speaker):0128x}", "path": path, "sentence": clip.text, "locale": "cy"}
            rows.append("\t".join({**dict.fromkeys(CV_COLUMNS, ""), **known}.values()) + "\n")
        (folder / f"{name}.tsv").write_text("".join(rows), encoding="utf-8")
    (folder / "clip_durations.tsv").write_text("".join(durations))
    return folder


def write_mp3(file: Path, clip: Clip) -> int:
    """Milliseconds of all its frames, as Common Voice counts them: with the encoder's delay and padding."""
    samples = soxr.resample(clip.samples, clip.rate, MP3_RATE)
    _write(file, replace(clip, samples=samples, rate=MP3_RATE))
    frames = math.ceil((len(samples) + 1105) / MP3_FRAME) + 1  # delay of encoder and decoder; the header's frame
    return round(1000 * frames * MP3_FRAME / MP3_RATE)


def _write(file: Path, clip: Clip) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    is_opus = file.suffix == ".opus"
    soundfile.write(file, clip.samples, clip.rate, **({"format": "OGG", "subtype": "OPUS"} if is_opus else {}))
