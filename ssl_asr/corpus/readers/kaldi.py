"""Reads a Kaldi data directory: wav.scp and, if present, segments, text, utt2spk and reco2file_and_channel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from ssl_asr.corpus.readers.reading import Reading, in_speaker_order
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

TABLES = ("wav.scp", "segments", "text", "utt2spk", "reco2file_and_channel")


def read_kaldi(path: str, channel: int = 0) -> Reading:
    """Every utterance of the directory; without segments each recording is an utterance. ValueError without wav.scp.

    A relative path in wav.scp is taken from the current directory, as in Kaldi, or else from the data directory.
    A pipe ("sph2pipe ... |") is not run: such recordings are rejected. `channel` is the default, which
    reco2file_and_channel (A or B) and segments (a fifth field) override. Without utt2spk every recording is one
    speaker. Time order is by name of the recording, then by start of the segment.
    """
    folder = Path(path).absolute()
    if not (folder / "wav.scp").is_file():
        raise ValueError(f"{folder} is not a Kaldi data directory: it has no wav.scp")
    files = dict(_table(folder / "wav.scp"))
    channels = {name: row.split()[-1] for name, row in _table(folder / "reco2file_and_channel")}
    texts, speakers = dict(_table(folder / "text")), dict(_table(folder / "utt2spk"))
    utterances, rejects = [], []
    for name, recording, offset, duration, given in sorted(_segments(folder, files), key=lambda row: row[1:3]):
        source = files.get(recording)
        if source is None or source.endswith("|"):
            why = "is missing from wav.scp" if source is None else "is a shell pipe in wav.scp, which is not run"
            rejects.append(Reject(name, f"recording {recording} {why}; name its audio file there"))
            continue
        utterances.append(
            Utterance(
                id=name,
                audio=_located(source, folder),
                speaker=speakers.get(name, recording),
                order=0,
                offset=offset,
                duration=duration,
                channel=_channel(given or channels.get(recording, ""), channel),
                text=texts.get(name),
            )
        )
    return Reading(in_speaker_order(utterances), tuple(rejects))


def _table(file: Path) -> Iterator[tuple[str, str]]:
    """Lines `key value`; none if there is no such file."""
    if file.is_file():
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                key, *value = line.split(None, 1)
                yield key, "".join(value).strip()


def _segments(folder: Path, files: dict[str, str]) -> Iterator[tuple[str, str, float, float, str]]:
    """Utterance, recording, start, length (seconds) and channel, if given."""
    if not (folder / "segments").is_file():
        yield from ((name, name, 0.0, math.inf, "") for name in files)
        return
    for name, row in _table(folder / "segments"):
        fields = row.split()
        try:
            recording, start, end = fields[0], float(fields[1]), float(fields[2])
        except (IndexError, ValueError):
            raise ValueError(
                f"{folder / 'segments'}: the line of {name} is not `utterance recording start end`; fix it"
            ) from None
        # In Kaldi an end of -1 means the end of the recording.
        yield name, recording, start, math.inf if end < 0 else end - start, fields[3] if len(fields) > 3 else ""


def _located(source: str, folder: Path) -> str:
    if "://" in source or Path(source).exists():
        return source if "://" in source else str(Path(source).absolute())
    return str(folder / source)


def _channel(given: str, default: int) -> int:
    if given in ("A", "B"):
        return "AB".index(given)
    return int(given) if given.isdigit() else default
