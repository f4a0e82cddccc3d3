"""Publishes a transcript as a file in one of the formats."""

from __future__ import annotations

from collections.abc import Callable

from ssl_asr.serving.transcribing.formats.captions import srt, vtt
from ssl_asr.serving.transcribing.formats.plain import as_json, ctm, txt
from ssl_asr.serving.transcribing.transcript import Transcript
from ssl_asr.store import filesystem

FORMATS: dict[str, Callable[[Transcript], str]] = {"json": as_json, "ctm": ctm, "srt": srt, "vtt": vtt, "txt": txt}


def write_transcript(transcript: Transcript, kind: str, folder: str) -> str:
    """The URI of `folder`/`name`.`kind`, which is then there as a whole; slashes in the name make folders."""
    uri = filesystem.join(folder, f"{transcript.name}.{kind}")
    filesystem.write_bytes(uri, FORMATS[kind](transcript).encode())
    return uri
