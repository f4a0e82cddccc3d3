"""Reads a lhotse cut manifest: JSON lines, plain or gzipped, of MonoCuts with recordings in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ssl_asr.corpus.readers.reading import Reading, in_speaker_order, tags_of
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance


def read_lhotse(path: str, channel: int = 0) -> Reading:
    """Every cut of the manifest; ValueError if there is no such file or it is not a cut manifest.

    Rejected are cuts that mix, pad or perturb audio, cuts with several supervisions, and cuts whose audio is a shell
    command. `channel` is not used: each cut names its own. A recording without a speaker counts as one speaker.
    A cut's custom field `tags` is an object of strings: of a test split `set` names the test set.
    """
    from lhotse import load_manifest_lazy  # seconds to import

    file = Path(path).absolute()
    if not file.is_file():
        raise ValueError(f"{file}: there is no such lhotse manifest")
    try:
        rows = list(load_manifest_lazy(file))
    except Exception as error:
        raise ValueError(
            f"{file} is not a lhotse cut manifest in JSON lines ({error}); export it with to_jsonl"
        ) from error
    utterances, rejects = [], []
    for cut in rows:
        try:
            utterances.append(_utterance(cut, file.parent))
        except ValueError as error:
            rejects.append(Reject(str(cut.id), str(error)))
    utterances.sort(key=lambda utterance: (utterance.audio, utterance.offset))
    return Reading(in_speaker_order(utterances), tuple(rejects))


def _utterance(cut: Any, folder: Path) -> Utterance:
    from lhotse import MonoCut

    if not isinstance(cut, MonoCut) or cut.recording is None:
        raise ValueError(f"a {type(cut).__name__} without one plain recording can't be read; export MonoCuts")
    if cut.recording.transforms:
        raise ValueError("the cut's recording has transforms; save the audio with them applied")
    if len(cut.supervisions) > 1:
        raise ValueError(f"the cut has {len(cut.supervisions)} supervisions; apply trim_to_supervisions first")
    sources = [source for source in cut.recording.sources if cut.channel in source.channels]
    if len(sources) != 1 or sources[0].type not in ("file", "url"):
        raise ValueError("the cut's audio is not a file; save it to one")
    source = str(sources[0].source)
    spoken = cut.supervisions[0] if cut.supervisions else None
    return Utterance(
        id=str(cut.id),
        audio=source if "://" in source else str(folder / source),
        speaker=str((spoken and spoken.speaker) or cut.recording_id),
        order=0,
        offset=float(cut.start),
        duration=float(cut.duration),
        channel=sources[0].channels.index(cut.channel),
        text=spoken.text if spoken else None,
        tags=tags_of(cut.custom or {}),
    )
