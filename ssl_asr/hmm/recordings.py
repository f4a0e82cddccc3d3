"""Alignments of the recordings of one shard and of their degraded copies, whatever aligns them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.augment.speed import fits, recording_places, speed_of
from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.runtime.shard_maker import ShardContent
from ssl_asr.store import alignments, features, utterance
from ssl_asr.store.alignments import Confidence
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

Senones = npt.NDArray[np.uint16]
NOTHING = np.zeros(0, np.uint16)


@dataclass(frozen=True)
class Alignment:
    """Of one utterance: the senone of each 10 ms frame, and how far to believe it."""

    senones: Senones
    confidence: Confidence = field(default_factory=Confidence)


class Aligner(Protocol):
    """Aligns utterances of one shard."""

    def align(self, row: FeatureRow) -> Alignment | str:
        """The alignment of `row`, or a sentence that says why it has none; no frames if another stage said so."""
        ...

    def statistics(self) -> Mapping[str, Any]:
        """Of all that was aligned, for the ledger."""
        ...


class Recordings:
    """Each recording is aligned once, at its first use; degraded copies have the alignment of their recording.

    The alignment of a copy at another speed is the recording's in its own time: the same senone at the same sound.
    Where they `may_lack_text`, utterances without one are counted; otherwise they are rejected.
    """

    def __init__(
        self,
        aligner: Aligner,
        spoken: Mapping[str, Utterance],
        rows: Sequence[FeatureRow],
        *,
        may_lack_text: bool = False,
    ) -> None:
        self.rejects: list[Reject] = []
        self._may_lack_text, self._without_text = may_lack_text, 0
        self._aligner, self._spoken = aligner, spoken
        self._clean = {spoken[row.id].recording: row for row in rows if row.condition == utterance.CLEAN}
        self._known: dict[str, Alignment | str] = {}

    def alignment(self, row: FeatureRow) -> Alignment:
        """Of `row`; without frames if the utterance is rejected, or if its text is not known."""
        if self._may_lack_text and self._spoken[row.id].text is None:
            self._without_text += 1
            return Alignment(NOTHING)
        # A degraded copy without its clean recording is aligned by itself.
        like = self._clean.get(self._spoken[row.id].recording, row)
        if like.id not in self._known:
            self._known[like.id] = self._aligner.align(like)
        found = self._known[like.id]
        if not isinstance(found, str) and len(found.senones):
            found = _in_time_of(row, like, found)
        if isinstance(found, str):
            self.rejects.append(Reject(row.id, found))
            return Alignment(NOTHING)
        return found

    def statistics(self) -> Mapping[str, Any]:
        lacking = {"without_text": self._without_text} if self._may_lack_text else {}
        return {**self._aligner.statistics(), **lacking}


def _in_time_of(row: FeatureRow, like: FeatureRow, found: Alignment) -> Alignment | str:
    """The alignment of `like`, which `row` was made from, in the time of `row`, or why there is none."""
    factor, frames, known = speed_of(row.condition) / speed_of(like.condition), len(row.frames), len(found.senones)
    if not fits(frames, known, factor):
        at = f", at {factor:g} of its speed" if factor != 1 else ""
        return f"it has {frames} frames of 10 ms, but {like.id}, which it was made from{at}, has {known}"
    return found if factor == 1 else replace(found, senones=found.senones[recording_places(frames, known, factor)])


def shard_content(
    recordings: Recordings,
    slabs: Sequence[Sequence[FeatureRow]],
    *,
    senone_set: str,
    num_senones: int,
    realigned_by: str = "",
) -> ShardContent:
    """The shard of alignments beside `slabs` of features, with its statistics.

    `senone_set` is the id of the senones, of which there are `num_senones`; `realigned_by` is the id of the network
    that made the alignments, if one did. The shard's footer has both ids.
    """
    found = [[recordings.alignment(row) for row in slab] for slab in slabs]
    # What has no weight in training must not shape the priors either.
    everything = [each.senones for slab in found for each in slab if each.confidence.weight > 0]
    none = np.zeros(num_senones, np.int64)
    counts = sum((np.bincount(stack_labels(row), minlength=num_senones) for row in everything), none)
    frames = [sum(len(each.senones) for each in slab) for slab in found]
    return ShardContent(
        alignments.SCHEMA,
        [
            alignments.encode(
                [row.id for row in rows], [each.senones for each in slab], [each.confidence for each in slab]
            )
            for rows, slab in zip(slabs, found, strict=True)
        ],
        frames,
        seconds=sum(frames) * features.FRAME_SECONDS,
        metadata={
            "senone_set": senone_set,
            "frame_seconds": str(features.FRAME_SECONDS),
            **({"realigned_by": realigned_by} if realigned_by else {}),
        },
        statistics={
            "senone_counts": counts.tolist(),  # of 30 ms frames
            "silent_frames": int(sum((row == SILENCE_SENONE).sum() for row in everything)),  # of 10 ms
            **recordings.statistics(),
        },
        rejects=recordings.rejects,
    )
