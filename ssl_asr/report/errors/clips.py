"""Audio of test utterances as they were recognised, in small FLAC files that every browser plays."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from ssl_asr.frontend.extract import Extractor
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject, checksum
from ssl_asr.store.results_layout import clip_uri, clips_folder
from ssl_asr.store.utterance import Utterance

SECONDS = 600.0  # of all clips together: 5 MB at 8 kHz


@dataclass(frozen=True)
class Clips:
    """`files` are names in the folder of clips, by utterance; `missing` are utterances whose audio can't be read."""

    files: Mapping[str, str]
    missing: tuple[Reject, ...]


NO_CLIPS = Clips({}, ())


def choose(candidates: Iterable[Utterance]) -> list[Utterance]:
    """The first of them that are not longer than `SECONDS` together, each once."""
    chosen: dict[str, Utterance] = {}
    left = SECONDS
    for each in candidates:
        if each.id not in chosen and each.duration <= left:
            chosen[each.id] = each
            left -= each.duration
    return list(chosen.values())


def write_clips(recipe: Recipe, utterances: Iterable[Utterance]) -> Clips:
    """Render the utterances of the test split below the report, and delete all other clips there."""
    extractor = Extractor(recipe, "test")
    files, missing = {}, []
    for each in utterances:
        try:
            data = encode(extractor.waveform(each), recipe.frontend.sample_rate)
        except ValueError as error:
            missing.append(Reject(each.id, str(error)))
            continue
        files[each.id] = f"{checksum(each.id.encode())}.flac"
        filesystem.write_if_changed(clip_uri(recipe.run, files[each.id]), data)
    kept = {clip_uri(recipe.run, name) for name in files.values()}
    for uri in filesystem.list_files(clips_folder(recipe.run)):
        if uri not in kept:
            filesystem.delete(uri)
    return Clips(files, tuple(missing))


def encode(samples: npt.NDArray[np.float32], rate: int) -> bytes:
    """FLAC of 16 bits; audio above full scale, as noise may make it, is turned down instead of clipped."""
    loudest = float(np.abs(samples).max(initial=0.0))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples / max(loudest, 1.0), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
