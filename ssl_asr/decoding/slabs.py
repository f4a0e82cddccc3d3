"""One slab decoded with one system. This is the unit of work; its result is stored and never made twice.

A result is one JSON file, `decoding/<key>/<system>/kappa-<kappa>/<split>/<shard>-<slab>.json`, where the key stands
for the model, the graph and the search; inside, the parents say which shards it was made from. A prior scale other
than 1 is part of the folder's name, `kappa-<kappa>-prior-<scale>`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from ssl_asr.decoding.scores import FRAME_SECONDS, Scales
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Shard
from ssl_asr.store.results_layout import decoded_uri


@dataclass(frozen=True)
class System:
    """A model of the run with all that decides its hypotheses but the scales; `key` is a hash of all of it.

    `told` has the speakers whose cohorts the model is told, with these; all others are unknown to it.
    """

    run: str
    name: str
    key: str
    graph: str
    alignment_set: str
    mel_bins: int
    beam: float
    max_active: int
    batch_frames: int
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Slab:
    """A row group of a feature shard; `parents` are the checksums of its features and, if any, alignments."""

    shard: Shard
    number: int
    parents: Mapping[str, str]


@dataclass(frozen=True)
class Hypothesis:
    """`frames` counts all 30 ms frames, `labelled` those with a label, `correct` those with the right best senone.

    If the utterance could not be decoded, `error` says why. `emitted` is when a streaming transducer puts out the
    last piece of each word, in seconds of the audio; others have none.
    """

    id: str
    words: tuple[str, ...]
    frames: int
    labelled: int
    correct: int
    error: str = ""
    emitted: tuple[float, ...] = ()


@dataclass(frozen=True)
class SlabFlops:
    """What a transducer's encoder computed for a slab, and what it would have with all its modules running."""

    spent: float
    whole: float


@dataclass(frozen=True)
class DecodedSlab:
    """`spent` is seconds of one core, for network and search; `flops` are counted of transducers alone."""

    parents: Mapping[str, str]
    spent: float
    hypotheses: tuple[Hypothesis, ...]
    flops: SlabFlops | None = None

    @property
    def seconds(self) -> float:
        return FRAME_SECONDS * sum(each.frames for each in self.hypotheses)


def result_uri(system: System, slab: Slab, scales: Scales) -> str:
    return decoded_uri(system.run, system.key, system.name, astuple(scales), slab.shard.name, slab.number)


def read_result(system: System, slab: Slab, scales: Scales) -> DecodedSlab | None:
    """The slab's result; None if there is none, or if it was made from other shards."""
    uri = result_uri(system, slab, scales)
    if not filesystem.exists(uri):
        return None
    found = parse_decoded(filesystem.read_bytes(uri))
    return found if found.parents == dict(slab.parents) else None


def parse_decoded(data: bytes) -> DecodedSlab:
    values = json.loads(data)
    found = tuple(_hypothesis(each) for each in values["hypotheses"])
    flops = values.get("flops")
    return DecodedSlab(values["parents"], values["spent"], found, flops and SlabFlops(**flops))


def _hypothesis(values: dict[str, Any]) -> Hypothesis:
    several = {name: tuple(values.get(name, ())) for name in ("words", "emitted")}
    return Hypothesis(**{**values, **several})
