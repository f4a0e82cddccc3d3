"""Telephone prompts of Asterisk, one talker a language, from Debian's asterisk-core-sounds packages.

The texts of the prompts are in the package without suffix, one `name: text` a line. Brackets mark non-speech.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

_SOUNDS = "usr/share/asterisk/sounds"


@dataclass(frozen=True)
class AsteriskPrompt:
    """One prompt: its name, e.g. "digits/day-2", its file and the written text."""

    name: str
    clip: Path
    text: str


def clips(package: Path) -> list[Path]:
    """All recordings of a package (WAV or GSM, 8 kHz), sorted, without its recorded silences."""
    files = (package / _SOUNDS).rglob("*")
    return sorted(file for file in files if file.suffix in (".wav", ".gsm") and file.parent.name != "silence")


def read_lines(package: Path, texts_package: Path) -> list[AsteriskPrompt]:
    """Every prompt that has a text without non-speech; the packages are of one language."""
    (listing,) = texts_package.glob("usr/share/doc/*/core-sounds-??.txt.gz")
    texts = {}
    for row in gzip.decompress(listing.read_bytes()).decode("utf-8-sig").splitlines():
        name, colon, text = row.partition(":")
        if colon and not row.startswith(";") and "[" not in text:
            texts[name.strip()] = text.strip()
    voice = next(folder for folder in sorted((package / _SOUNDS).iterdir()) if folder.is_dir())
    named = [(str(clip.relative_to(voice).with_suffix("")), clip) for clip in clips(package)]
    return [AsteriskPrompt(name, clip, texts[name]) for name, clip in named if texts.get(name)]
