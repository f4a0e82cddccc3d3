"""What a run keeps with an extractor: the key of what it was made from, and whom it has heard."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ssl_asr.store import filesystem
from ssl_asr.store.speakers_layout import extractor_uri, trained_speakers_uri
from ssl_asr.store.weights import read_description

KEY = "key"


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
