"""Folders of audio: all that lies below one, also through links."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from ssl_asr.store.patterns import is_hidden

# Files with other endings are not taken for audio. Those that libsndfile can't read are told when they are opened.
AUDIO_ENDINGS = frozenset(
    (
        *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".gsm", ".mp3", ".nist", ".oga", ".ogg", ".opus"),
        *(".rf64", ".snd", ".sph", ".voc", ".w64", ".wav"),
        *(".aac", ".amr", ".m4a", ".mkv", ".mov", ".mp4", ".weba", ".webm", ".wma"),
    )
)


def split_ending(path: str) -> tuple[str, str]:
    """The path without its ending, and the ending, where that is one of audio: "talk.1" has none."""
    base, ending = os.path.splitext(path)
    return (base, ending) if ending.lower() in AUDIO_ENDINGS else (path, "")


def walk(folder: str, on_error: Callable[[OSError], object]) -> Iterator[tuple[str, list[str]]]:
    """`folder` and every folder below it, each with the sorted names of its files; not those that begin with a dot.

    Links to folders are followed. A folder that several links lead to comes once, so that a link to a folder above it
    makes no loop. `on_error` is told of each folder that can't be read.
    """
    seen = {os.path.realpath(folder)}
    for place, below, names in os.walk(folder, followlinks=True, onerror=on_error):
        below[:] = _unseen(place, _visible(below), seen)
        yield place, _visible(names)


def _visible(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not is_hidden(name))


def _unseen(place: str, folders: Iterable[str], seen: set[str]) -> list[str]:
    """Of the folders in `place` those that no other link has led to; `seen` grows by them."""
    unseen = []
    for name in folders:
        real = os.path.realpath(os.path.join(place, name))
        if real not in seen:
            seen.add(real)
            unseen.append(name)
    return unseen
