"""Transcripts for programs and for reading: JSON, NIST's CTM, and text."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from ssl_asr.serving.results import Word
from ssl_asr.serving.transcribing.transcript import Transcript, TranscriptSegment


def as_json(transcript: Transcript) -> str:
    """All that is known, as one object (docs/formats.md)."""
    segments = [{"text": segment.text, **_values(segment)} for segment in transcript.segments]
    whole = {
        "name": transcript.name,
        "text": transcript.text,
        "source": asdict(transcript.source),
        "segments": segments,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _values(segment: TranscriptSegment) -> dict[str, Any]:
    """Only turns of a conversation have an output channel."""
    values = asdict(segment)
    if segment.output_channel is None:
        del values["output_channel"]
    return values


def ctm(transcript: Transcript) -> str:
    """A line a word: name, channel from 1, start, duration, word, confidence or NA (NIST SCTK, sclite's ctm).

    Of a conversation, the channel is the output channel, and words are in the order of channel and time. Fields are
    separated by blanks, so white space in a name, and the sign %, are written as in a URI (%20).
    """
    name = re.sub(r"[\s%]", lambda blank: quote(blank.group()), transcript.name)
    channels = [_channel(segment, transcript) for segment in transcript.segments]
    by_channel = sorted(zip(channels, transcript.segments, strict=True), key=lambda each: each[0])
    lines = (f"{name} {channel} {_ctm_fields(word)}\n" for channel, segment in by_channel for word in segment.words)
    return "".join(lines)


def _channel(segment: TranscriptSegment, transcript: Transcript) -> int:
    found = transcript.source.channel if segment.output_channel is None else segment.output_channel
    return found + 1


def _ctm_fields(word: Word) -> str:
    # Rounded start and end: rounded durations would let words overlap.
    start, end = round(word.start * 100), round(word.end * 100)
    confidence = "NA" if word.confidence is None else f"{word.confidence:.3f}"
    return f"{start / 100:.2f} {max(0, end - start) / 100:.2f} {word.word} {confidence}"


def txt(transcript: Transcript) -> str:
    """A line a segment in which something was said."""
    return "".join(f"{segment.text}\n" for segment in transcript.segments if segment.words)
