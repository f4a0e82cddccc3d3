"""What a run keeps with an extractor: the key of what it was made from, what is told of it, and whom it has heard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.store import filesystem
from ssl_asr.store.speakers_layout import extractor_uri, trained_speakers_uri
from ssl_asr.store.weights import read_description

KEY, TOLD = "key", "told"


@dataclass(frozen=True)
class Extracted:
    """What is told of a training: `loss` is the mean of the last steps in nats; `kept`: it was trained before.

    Speakers with a `single` utterance and those who may be `several` people were left out.
    """

    speakers: int
    utterances: int
    single: int
    several: int
    loss: float
    kept: bool = False


def extractor_key(run: str, name: str) -> str | None:
    """None where there is no extractor of this name, or an imported one."""
    uri = extractor_uri(run, name)
    key: str | None = read_description(uri).get(KEY) if filesystem.exists(uri) else None
    return key


def trained_speakers(run: str, name: str) -> Sequence[str]:
    """Names of speakers; nobody of this run where the extractor was imported."""
    uri = trained_speakers_uri(run, name)
    found: Sequence[str] = json.loads(filesystem.read_bytes(uri)) if filesystem.exists(uri) else []
    return found
