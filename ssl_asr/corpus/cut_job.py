"""Cuts the long recordings of one batch by voice activity: what an actor does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.audio_files import MIN_RATE, UnreachableAudio
from ssl_asr.corpus.checks import OVERSHOOT_SECONDS
from ssl_asr.corpus.long_recordings import CUT_SCHEMA, Batches, cuts_store
from ssl_asr.corpus.segment.cutting import Cutter, Cutting
from ssl_asr.corpus.segment.recordings import speech_segments
from ssl_asr.corpus.segment.voice_activity import WINDOW_SECONDS, VoiceActivity
from ssl_asr.recipe import Corpus
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.partitions import publish_partitions, read_partition

VERSION = "1"  # raise where equal recordings are cut in other places
Cuts = Mapping[str, Any]  # a row of CUT_SCHEMA


def cutting_of(corpus: Corpus) -> Cutting:
    """ValueError if the lengths of the recipe contradict each other."""
    # Times are rounded to whole samples, so that a segment may be a sample longer.
    cutting = Cutting(min_seconds=corpus.min_seconds, max_seconds=corpus.max_seconds - 1 / MIN_RATE)
    try:
        Cutter(cutting, WINDOW_SECONDS)
    except ValueError as error:
        raise ValueError(
            f"corpus.segment: {error} (corpus.max_seconds, corpus.min_seconds), or set corpus.segment: false"
        ) from None
    return cutting


def cuts_parents(cutting: Cutting) -> dict[str, str]:
    """Of the cuts of a batch, beside the recordings, after which it is named."""
    return {"version": VERSION, **{name: f"{value:g}" for name, value in asdict(cutting).items()}}


class CutJob:
    """Called with a batch's number, publishes where its recordings are cut. Those that can't be used are rejects."""

    def __init__(self, run: str, batches: Batches, cutting: Cutting, *, pipes: bool) -> None:
        self.run, self.batches, self.cutting, self.pipes = run, batches, cutting, pipes
        self.parents: Inputs = cuts_parents(cutting)
        VoiceActivity()  # a missing package is no fault of each recording
        # Equal recordings may be listed twice.
        self._indices = {int(number): index for index, number in enumerate(batches.numbers)}

    def __call__(self, shard: Shard) -> None:
        recordings = self.batches.recordings(self.run, self._indices[shard.number]).to_pylist()
        known = self._known(shard)
        cuts = [known.get(place) or self._cut(row) for place, row in enumerate(recordings)]
        failed = [Reject(row["audio"], each["reason"]) for row, each in zip(recordings, cuts, strict=True)]
        publish_partitions(
            cuts_store(self.run),
            shard,
            pa.Table.from_pylist(cuts, CUT_SCHEMA),
            np.zeros(len(cuts), np.int64),
            count=1,
            parents=self.parents,
            seconds=sum(each["seconds"] for each in cuts),
            rejects=[each for each in failed if each.reason],
        )

    def _known(self, shard: Shard) -> dict[int, Cuts]:
        """What an earlier attempt has found, by place in the batch; what it could not use is tried again."""
        store = cuts_store(self.run)
        if not store.is_done(shard, self.parents):
            return {}
        rows = read_partition(store, shard, 0).to_pylist()
        return {place: row for place, row in enumerate(rows) if not row["reason"]}

    def _cut(self, row: Mapping[str, Any]) -> Cuts:
        try:
            found = speech_segments(
                row["audio"],
                channel=row["channel"],
                offset=row["offset"],
                duration=row["duration"],
                may_lack=OVERSHOOT_SECONDS,
                cutting=self.cutting,
                pipes=self.pipes,
            )
        except UnreachableAudio:
            raise
        except ValueError as error:
            return {"reason": str(error), "sample_rate": 0, "seconds": 0.0, "begins": [], "ends": []}
        rate = found.sample_rate
        first = round(row["offset"] * rate)
        return {
            "reason": "",
            "sample_rate": rate,
            "seconds": found.seconds,
            "begins": [first + round(start * rate) for start, _ in found.segments],
            "ends": [first + round(end * rate) for _, end in found.segments],
        }
