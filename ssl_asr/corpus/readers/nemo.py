"""Reads a NeMo manifest: JSON objects with audio_filepath and optional duration, offset, text, speaker and tags."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ssl_asr.corpus.readers.reading import Reading, in_speaker_order, tags_of
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance


def read_nemo(path: str, channel: int = 0) -> Reading:
    """Every line of the manifest; ValueError if there is no such file.

    An id is the line's `id` or `utt_id`, or else the audio file's name with, for a segment, its offset in ms. A
    relative audio_filepath is taken from the manifest's folder. Without `speaker`, the audio file counts as the
    speaker. `tags` is an object of strings: of a test split `set` names the test set. Lines that are not a JSON
    object or name no audio are rejected by their number.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise ValueError(f"{file}: there is no such NeMo manifest")
    utterances, rejects = [], []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            utterances.append(_utterance(json.loads(line), file.parent, channel))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            rejects.append(Reject(f"line {number}", f"{file} line {number} is not a NeMo entry ({why}); fix it"))
    utterances.sort(key=lambda utterance: (utterance.audio, utterance.offset))
    return Reading(in_speaker_order(utterances), tuple(rejects))


def _utterance(row: dict[str, Any], folder: Path, channel: int) -> Utterance:
    audio = str(row["audio_filepath"])
    uri = audio if "://" in audio else str(folder / Path(audio).expanduser())
    text, duration = row.get("text"), row.get("duration")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"its text is {type(text).__name__}, not a string")
    if duration is not None and not math.isfinite(float(duration)):
        raise ValueError(f"its duration is {duration}")
    offset = float(row.get("offset") or 0.0)
    if not 0 <= offset < math.inf:
        raise ValueError(f"its offset is {offset}")
    name = Path(audio).stem + (f"-{round(offset * 1000):07d}" if row.get("offset") is not None else "")
    return Utterance(
        id=str(row.get("id") or row.get("utt_id") or name),
        audio=uri,
        speaker=str(row.get("speaker") or uri),
        order=0,
        offset=offset,
        duration=math.inf if duration is None else float(duration),
        channel=int(row.get("channel", channel)),
        text=text,
        tags=tags_of(row),
    )
