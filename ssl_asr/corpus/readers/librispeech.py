"""Reads a tree in LibriSpeech's form: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt and SPEAKER-CHAPTER-NUMBER.flac."""

from __future__ import annotations

import math
from pathlib import Path

from ssl_asr.corpus.readers.reading import Reading, in_speaker_order
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3")


def read_librispeech(path: str, channel: int = 0) -> Reading:
    """Every line of every *.trans.txt below `path`; ValueError if there is none.

    A line whose audio file isn't beside it is rejected. A speaker's time order is that of chapters, then numbers.
    """
    folder = Path(path).absolute()
    transcripts = sorted(folder.rglob("*.trans.txt"))
    if not transcripts:
        raise ValueError(f"{folder} is not a LibriSpeech tree: there is no *.trans.txt below it")
    utterances, rejects = [], []
    for transcript in transcripts:
        for line in transcript.read_text(encoding="utf-8").splitlines():
            name, _, text = line.strip().partition(" ")
            if not name:
                continue
            audio = next((file for end in _SUFFIXES if (file := transcript.parent / f"{name}{end}").is_file()), None)
            if audio is None:
                rejects.append(
                    Reject(name, f"{transcript.parent / name}.flac is missing; restore or leave out its line")
                )
                continue
            speaker = name.split("-")[0]
            utterances.append(Utterance(name, str(audio), speaker, 0, math.inf, channel=channel, text=text.strip()))
    utterances.sort(key=lambda utterance: [int(part) if part.isdigit() else 0 for part in utterance.id.split("-")])
    return Reading(in_speaker_order(utterances), tuple(rejects))
