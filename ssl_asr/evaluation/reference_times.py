"""When the words of a split were said, by its forced alignments: what recognised times are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ssl_asr.decoding.scores import FRAME_SECONDS
from ssl_asr.decoding.slabs import Slab
from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.word_times import word_times
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.store import alignments
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

_SURE = 50.0  # score of the senone that an alignment has, against 0 for all others


class Span(NamedTuple):
    """When a word begins and ends, in seconds of its recording."""

    start: float
    end: float


SpokenTimes = Mapping[str, Sequence[Span]]  # of each recording, its words


@dataclass(frozen=True)
class SlabToTime:
    """Utterances of a slab of the run whose words are to be timed: `said` has recording and words of each."""

    run: str
    slab: Slab
    said: Mapping[str, tuple[str, tuple[str, ...]]]


def slabs_to_time(run: str, slabs: Sequence[Slab], utterances: Mapping[str, Utterance]) -> list[SlabToTime]:
    """Each recording once, in the first slab where it is aligned; its copies have the same alignment."""
    store, seen, found = _aligned(run), set[str](), list[SlabToTime]()
    for slab in slabs:
        if "alignments" not in slab.parents:
            continue
        said = {}
        table = store.read_slab(slab.shard, slab.number, ["id", "num_frames"])
        for name, frames in zip(table["id"].to_pylist(), table["num_frames"].to_pylist(), strict=True):
            each = utterances[name]
            words = tuple((each.text or "").split())
            if frames and words and each.recording not in seen:
                said[name] = (each.recording, words)
                seen.add(each.recording)
        if said:
            found.append(SlabToTime(run, slab, said))
    return found


def reference_times(wanted: SlabToTime) -> dict[str, list[Span]]:
    """Of each recording whose words the lexicon has."""
    lexicon, senones, found = read_lexicon(wanted.run), load_senones(wanted.run), {}
    rows = alignments.decode(_aligned(wanted.run).read_slab(wanted.slab.shard, wanted.slab.number))
    for name, (recording, words) in wanted.said.items():
        if lexicon.unknown(words):
            continue
        scores = _SURE * np.eye(senones.size, dtype=np.float32)[stack_labels(rows[name])]
        times = word_times(words, lexicon, scores, senones.table)
        if times is not None:
            found[recording] = [Span(FRAME_SECONDS * time.start, FRAME_SECONDS * time.end) for time in times]
    return found


def _aligned(run: str) -> ShardStore:
    return ShardStore(run, alignments.store_name(load_senones(run).alignment_set))
