"""Clips of open speech in the cache: unpacked once from their packages, measured and indexed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile

from ssl_asr.corpus.open_speech import amazon_queen, asterisk, drascula, packages
from ssl_asr.corpus.readers.reading import in_speaker_order
from ssl_asr.progress import Progress
from ssl_asr.store.utterance import Utterance

# Raised when the files that are unpacked into the cache, or their index, change.
LAYOUT = 1
_QUEEN = "queen-"  # begins the names of speakers of that game


@dataclass(frozen=True)
class Clip:
    """A line of the index: file relative to the index's folder, length in seconds.

    So a cache may be moved or copied as a whole. Absolute files, of older caches, are where they are.
    """

    id: str
    file: str
    speaker: str
    text: str
    corpus: str
    seconds: float = 0.0


def indexed(folder: Path, unpack: Callable[[Path], Iterable[Clip]]) -> list[Utterance]:
    """The utterances indexed in `folder`; if it does not exist yet, they are unpacked and measured first."""
    if not folder.is_dir():
        with packages.new_folder(folder) as out:
            rows = list(_measured(out, list(unpack(out))))
            (out / "index.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    clips = [Clip(**json.loads(row)) for row in (folder / "index.jsonl").read_text().splitlines()]
    return list(
        in_speaker_order(
            Utterance(
                id=clip.id,
                audio=os.path.normpath(folder / clip.file),
                speaker=clip.speaker,
                order=0,
                duration=clip.seconds,
                text=clip.text,
                tags={"corpus": clip.corpus},
            )
            for clip in sorted(clips, key=lambda clip: clip.id)
        )
    )


def _measured(out: Path, clips: list[Clip]) -> Iterator[Clip]:
    """`clips` with their true lengths: an MP3's header only estimates it, so all are decoded."""
    progress = Progress("measuring clips", len(clips), "clips")
    for clip in clips:
        with soundfile.SoundFile(out / clip.file) as file:
            seconds = len(file.read(dtype="int16")) / file.samplerate
        progress.advance()
        yield Clip(**{**asdict(clip), "seconds": seconds})


def unpack_queen(package: Path, out: Path) -> Iterator[Clip]:
    """Clips and, in the folder `effects`, sound effects, both as the original MP3 files."""
    files = amazon_queen.read_archive(package)
    (out / "effects").mkdir()
    for name, data in amazon_queen.effects(files).items():
        (out / "effects" / f"{name.removesuffix('.SB')}.mp3").write_bytes(data)
    for line in amazon_queen.lines(files):
        data = files.get(f"{line.voice}.SB", b"")
        if data:
            (out / f"{line.voice}.mp3").write_bytes(data)
            speaker = _QUEEN + line.speaker.replace(" ", "-")
            yield Clip(f"queen-{line.voice}", f"{line.voice}.mp3", speaker, line.text, "queen")


def is_one_person(speaker: str) -> bool:
    """False of a speaker of open speech who stands for all unknown talkers of a scene."""
    return not speaker.startswith(_QUEEN + amazon_queen.SCENE)


def unpack_drascula(package: Path, out: Path) -> Iterator[Clip]:
    """Clips as WAV files; the originals have no header."""
    for line in drascula.read_lines(package):
        name = f"{line.clip.stem}.wav"
        samples, _ = soundfile.read(
            line.clip, format="RAW", subtype="PCM_U8", samplerate=drascula.RATE, channels=1, dtype="int16"
        )
        soundfile.write(out / name, samples, drascula.RATE, subtype="PCM_U8")
        yield Clip(f"drascula-{line.clip.stem}", name, f"drascula-{line.speaker}", line.text, "drascula")


def list_asterisk(package: Path, texts_package: Path, out: Path) -> Iterator[Clip]:
    """Clips at their places in the package, seen from `out`; nothing is copied."""
    for line in asterisk.read_lines(package, texts_package):
        identity = f"asterisk-{line.name.replace('/', '-')}"
        place = os.path.relpath(line.clip, out)
        yield Clip(identity, place, "asterisk-allison", line.text, "asterisk")
