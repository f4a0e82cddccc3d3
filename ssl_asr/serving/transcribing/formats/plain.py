"""Transcripts for programs and for reading: JSON, NIST's CTM, and text."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from urllib.parse import quote

from ssl_asr.serving.results import Word
from ssl_asr.serving.transcribing.transcript import Transcript


def as_json(transcript: Transcript) -> str:
    """All that is known, as one object (docs/formats.md)."""
    segments = [{"text": segment.text, **asdict(segment)} for segment in transcript.segments]
    whole = {
        "name": transcript.name,
        "text": transcript.text,
        "source": asdict(transcript.source),
        "segments": segments,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def ctm(transcript: Transcript) -> str:
    """A line a word: name, channel from 1, start, duration, word, confidence or NA (NIST SCTK, sclite's ctm).

    Fields are separated by blanks, so white space in a name, and the sign %, are written as in a URI (%20).
    """
    name = re.sub(r"[\s%]", lambda blank: quote(blank.group()), transcript.name)
    channel = transcript.source.channel + 1
    return "".join(f"{name} {channel} {_ctm_fields(word)}\n" for word in transcript.words)


def _ctm_fields(word: Word) -> str:
    # Rounded start and end: rounded durations would let words overlap.
    start, end = round(word.start * 100), round(word.end * 100)
    confidence = "NA" if word.confidence is None else f"{word.confidence:.3f}"
    return f"{start / 100:.2f} {max(0, end - start) / 100:.2f} {word.word} {confidence}"


def txt(transcript: Transcript) -> str:
    """A line a segment in which something was said."""
    return "".join(f"{segment.text}\n" for segment in transcript.segments if segment.words)
