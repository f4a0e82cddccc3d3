"""What the entries of a wav.scp name: files, places in archives and shell pipes."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssl_asr.corpus.audio import channels_of
from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.pipes import as_pipe
from ssl_asr.corpus.readers.kaldi_pipes import plain_pipe
from ssl_asr.corpus.readers.kaldi_tables import Table
from ssl_asr.store import filesystem

_READ_DIRECTLY = ("cat", "flac")  # others of the plain pipes read formats that libsndfile doesn't
_FIX = "name audio files there, or set corpus.pipes: true, which runs whatever command stands in wav.scp"


@dataclass(frozen=True)
class KaldiSource:
    """The audio of a recording, with the one `channel` of it that wav.scp takes (`chosen`) or else the default.

    `undecided`: it has several channels, and only reco2file_and_channel tells its recordings apart.
    """

    audio: str
    channel: int
    chosen: bool = False
    undecided: bool = False

    def channel_of(self, given: int | None) -> int:
        """Of a segment that gives a channel, or None; ValueError if that is not to be known or there is none such."""
        if self.chosen and given:
            raise ValueError(
                f"{self.audio}: segments gives channel {given}, but wav.scp takes one channel alone; fix one"
            )
        if self.undecided and given is None:
            raise ValueError(
                f"{self.audio} has several channels, and reco2file_and_channel names sides of calls for scoring, no "
                "channels; give the channel as a fifth field of segments or in wav.scp (`sox FILE -t wav - "
                "remix 2 |`), or remove reco2file_and_channel to read corpus.channel of every recording"
            )
        return self.channel if self.chosen or given is None else given


@dataclass(frozen=True)
class Sources:
    """The recordings of a wav.scp; `sided` are those of reco2file_and_channel, and `channel` is the default.

    `missing` are all places of relative paths that lead nowhere, of the recordings that were asked for.
    """

    folder: str  # the data directory
    scp: Table
    sided: Collection[str]
    channel: int
    pipes: bool
    current: str  # directory that relative paths are taken from first
    missing: set[str] = field(default_factory=set)

    def find(self, recording: str) -> KaldiSource | ValueError:
        """What its utterances are read from, or why they can't be read."""
        try:
            entry = self.scp.get(recording)
            if not entry:
                raise ValueError(f"recording {recording} is missing from wav.scp; name its audio file there")
            source = self._pipe(recording, entry[:-1].strip()) if _is_pipe(entry) else self._file(entry)
        except ValueError as error:
            return error
        return replace(source, undecided=recording in self.sided and not source.chosen and self._has_several(source))

    def unread_pipes(self) -> list[str]:
        """Entries of wav.scp that are not run and stand for no file."""
        entries = [] if self.pipes else [entry for entry in self.scp.values.values() if _is_pipe(entry)]
        return [entry for entry in entries if plain_pipe(entry[:-1]) is None]

    def _file(self, name: str) -> KaldiSource:
        return KaldiSource(self._located(name), self.channel)

    def _located(self, name: str) -> str:
        if filesystem.is_uri(name):
            return name
        if filesystem.is_uri(self.folder):
            scheme, _, inside = self.folder.partition("://")
            return name if name.startswith("/") else f"{scheme}://{posixpath.normpath(f'{inside}/{name}')}"
        places = [os.path.join(self.current, name), str(Path(self.folder, name))]
        files = [file_of(place) or place for place in places]
        found = next((place for place, file in zip(places, files, strict=True) if os.path.exists(file)), None)
        if found is None:
            self.missing.update(files)
        return found or places[-1]

    def _pipe(self, recording: str, command: str) -> KaldiSource:
        plain = plain_pipe(command)
        only = None if plain is None else plain.channel
        if plain is not None and (plain.program in _READ_DIRECTLY or not self.pipes):
            source = self._file(plain.file)
            return source if only is None else replace(source, channel=only, chosen=True)
        if not self.pipes:
            raise ValueError(
                f"recording {recording} is a shell pipe in wav.scp that is not run ({command} |); {_FIX}"
            )
        audio = as_pipe(command, self.current)
        return KaldiSource(audio, self.channel if only is None else 0, chosen=only is not None)

    def _has_several(self, source: KaldiSource) -> bool:
        try:
            return channels_of(source.audio, pipes=self.pipes) > 1
        except ValueError:  # a file that can't be read is found by the checks
            return False


def told_pipes(sources: Sources) -> dict[str, int]:
    """How many recordings are pipes that are not run, in words for a person; ValueError if all of them are."""
    unread = sources.unread_pipes()
    if not unread:
        return {}
    if len(unread) == len(sources.scp.values):
        raise ValueError(
            f"{sources.folder}/wav.scp: all recordings are shell pipes that are not run, the first of "
            f"{len(unread):,}: {unread[0]}; {_FIX}"
        )
    return {f"recordings are shell pipes in wav.scp that are not run, the first: {unread[0]}; {_FIX}": len(unread)}


def _is_pipe(entry: str) -> bool:
    return entry.endswith("|")
