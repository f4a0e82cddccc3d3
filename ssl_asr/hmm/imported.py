"""Times of phones by alignments made elsewhere, as the run keeps them: files beside the labeled shards, and an index.

Only times that fit the audio and the text of their utterance are kept. The index is written last: without it, the
import is not complete.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

from ssl_asr.hmm.phone_times import PhoneTimes, Unusable
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.hmm_layout import import_index_uri, imported_folder, imported_uri, unused_imports_uri
from ssl_asr.store.layout import IMPORT_SUFFIX
from ssl_asr.store.listing import list_numbers

KEY = "hmm.alignments"


@dataclass(frozen=True)
class ImportIndex:
    """`inputs` say what was imported, that of KEY its content; `source` is what the recipe called it.

    `frames` are 10 ms frames of usable alignments, slab by slab, by the number of the labeled shard; `unused` counts
    alignments that are not used, by kind.
    """

    inputs: Inputs
    source: str
    frames: Mapping[int, Sequence[int]]
    unused: Mapping[str, int]

    @property
    def total_frames(self) -> int:
        return sum(map(sum, self.frames.values()))


def write_index(run: str, index: ImportIndex) -> None:
    filesystem.write_bytes(import_index_uri(run), json.dumps(asdict(index), sort_keys=True).encode())


def read_index(run: str) -> ImportIndex | None:
    """None where there is none, or where it or a file of a shard is damaged or lost: all is imported again."""
    uri = import_index_uri(run)
    if not filesystem.exists(uri):
        return None
    try:
        values = json.loads(filesystem.read_bytes(uri))
        values["frames"] = {int(number): tuple(frames) for number, frames in values["frames"].items()}
        index = ImportIndex(**values)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return index if set(index.frames) <= set(list_numbers(imported_folder(run), IMPORT_SUFFIX).tolist()) else None


def write_imported(run: str, number: int, found: Mapping[str, PhoneTimes], content: str) -> None:
    """Times of utterances of one labeled shard."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        content=np.array(content),
        ids=np.array(list(found), np.str_),
        firsts=np.cumsum([0, *(len(each.ends) for each in found.values())], dtype=np.int64),
        phones=np.concatenate([np.zeros(0, np.uint8), *(each.phones for each in found.values())]),
        ends=np.concatenate([np.zeros(0, np.int32), *(each.ends for each in found.values())]),
    )
    filesystem.write_bytes(imported_uri(run, number), buffer.getvalue())


@lru_cache(maxsize=2)  # a worker trains on the slabs of a shard one after the other
def read_imported(run: str, number: int, content: str) -> Mapping[str, PhoneTimes] | None:
    """Times of a labeled shard's utterances, which must be of this `content`.

    None if that is empty: the recipe asks for no import.
    """
    if not content:
        return None
    uri = imported_uri(run, number)
    with np.load(io.BytesIO(filesystem.read_bytes(uri)), allow_pickle=False) as arrays:
        if str(arrays["content"]) != content:
            raise ValueError(f"{uri} has changed; run the hmm stage again")
        firsts, phones, ends = (arrays[name] for name in ("firsts", "phones", "ends"))
        return {
            name: PhoneTimes(phones[begin:end], ends[begin:end])
            for name, begin, end in zip(
                arrays["ids"].tolist(), firsts[:-1].tolist(), firsts[1:].tolist(), strict=True
            )
        }


def write_unused(run: str, unused: Mapping[str, Unusable]) -> None:
    """A line an utterance whose alignment is not used, with the reason."""
    lines = [json.dumps({"id": name, **asdict(each)}) + "\n" for name, each in unused.items()]
    filesystem.write_bytes(unused_imports_uri(run), "".join(lines).encode())
