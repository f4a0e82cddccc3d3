"""Times of phones by alignments made elsewhere, as the run keeps them: `hmm/imported.npz`."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.phone_times import PhoneTimes, Rest
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.layout import imported_uri

KEY = "hmm.alignments"
_RESTS: tuple[Rest, ...] = get_args(Rest)


@dataclass(frozen=True)
class Imported:
    """Times of all utterances, one behind the other: those of the i-th begin at `firsts[i]`; `rests` index _RESTS."""

    places: Mapping[str, int]
    firsts: npt.NDArray[np.int64]
    rests: npt.NDArray[np.uint8]
    phones: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int32]

    def get(self, name: str) -> PhoneTimes | None:
        """Of the utterance; None if it has no imported alignment."""
        place = self.places.get(name)
        if place is None:
            return None
        mine = slice(self.firsts[place], self.firsts[place + 1])
        return PhoneTimes(self.phones[mine], self.ends[mine], _RESTS[self.rests[place]])


@lru_cache(maxsize=1)
def read_imported(run: str, content: str) -> Imported | None:
    """What the run keeps, which must be of this `content`; None if that is empty: the recipe asks for no import."""
    if not content:
        return None
    with np.load(io.BytesIO(filesystem.read_bytes(imported_uri(run))), allow_pickle=False) as arrays:
        if json.loads(str(arrays["inputs"])).get(KEY) != content:
            raise ValueError(f"{imported_uri(run)} has changed; run the hmm stage again")
        places = {name: place for place, name in enumerate(arrays["ids"].tolist())}
        return Imported(places, arrays["firsts"], arrays["rests"], arrays["phones"], arrays["ends"])


def write_imported(run: str, found: Mapping[str, PhoneTimes], inputs: Inputs) -> None:
    """`inputs` says what it was read from; its value of KEY is the content."""
    names = sorted(found)
    times = [found[name] for name in names]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        inputs=np.array(json.dumps(dict(inputs), sort_keys=True)),
        ids=np.array(names),
        firsts=np.cumsum([0, *(len(each.ends) for each in times)], dtype=np.int64),
        rests=np.array([_RESTS.index(each.rest) for each in times], np.uint8),
        phones=np.concatenate([each.phones for each in times]),
        ends=np.concatenate([each.ends for each in times]),
    )
    filesystem.write_bytes(imported_uri(run), buffer.getvalue())
