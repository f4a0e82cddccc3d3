"""Captions for players: SubRip (.srt) and WebVTT (.vtt, https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from ssl_asr.serving.transcribing.formats.cues import Cue, cues
from ssl_asr.serving.transcribing.transcript import Transcript


def srt(transcript: Transcript) -> str:
    """Numbered captions. The format has no escapes, so an arrow, which belongs to its times, becomes "->"."""
    blocks = (
        f"{number}\n{_times(cue, ',')}\n{_text(cue).replace('-->', '->')}\n"
        for number, cue in enumerate(cues(transcript), 1)
    )
    return "\n".join(blocks)


def vtt(transcript: Transcript) -> str:
    """Captions behind the line WEBVTT; `&`, `<` and `>` are written as HTML entities."""
    return "\n".join(["WEBVTT\n", *(f"{_times(cue, '.')}\n{_escaped(_text(cue))}\n" for cue in cues(transcript))])


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start, point)} --> {_clock(cue.end, point)}"


def _clock(milliseconds: int, point: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{milliseconds:03d}"
