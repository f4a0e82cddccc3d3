"""What a shard of hypotheses holds, whoever recognised the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.runtime.shard_maker import ShardContent
from ssl_asr.store import hypotheses
from ssl_asr.store.copies import label_rows
from ssl_asr.store.hypotheses import FRAME_SECONDS, HypothesisRow, TimedWord, judged
from ssl_asr.store.ledger import Reject

Words = tuple[TimedWord, ...]


@dataclass(frozen=True)
class UnlabeledRow:
    """A row of a slab of features, with its 30 ms frames."""

    id: str
    condition: str
    num_frames: int


def own_places(slab: Sequence[UnlabeledRow]) -> list[int]:
    """The rows that are recognised: all but degraded copies whose recording lies in the slab."""
    rows = label_rows([row.id for row in slab], [row.condition for row in slab])
    return [place for place, row in enumerate(rows) if row == place]


def shard_content(
    slabs: Sequence[Sequence[UnlabeledRow]], found: Mapping[str, Words], rejects: Sequence[Reject]
) -> ShardContent:
    """The words `found` by utterance, slab by slab; utterances that have none there, and copies, have empty rows."""
    made = [_rows(slab, found) for slab in slabs]
    frames = [sum(row.num_frames for row in rows) for rows in made]
    heard = [row for rows, slab in zip(made, slabs, strict=True) for row in (rows[each] for each in own_places(slab))]
    return ShardContent(
        hypotheses.SCHEMA,
        [hypotheses.encode(rows) for rows in made],
        frames,
        seconds=sum(frames) * FRAME_SECONDS,
        metadata={"ssl_asr.frame_seconds": str(FRAME_SECONDS)},
        statistics=_statistics(heard) | {"matched": sum(row.id in found for row in heard)},
        rejects=rejects,
    )


def _rows(slab: Sequence[UnlabeledRow], found: Mapping[str, Words]) -> list[HypothesisRow]:
    own = {*own_places(slab)}
    return [
        HypothesisRow(row.id, row.num_frames, found.get(row.id, ())) if place in own else HypothesisRow(row.id, 0)
        for place, row in enumerate(slab)
    ]


def _statistics(heard: Sequence[HypothesisRow]) -> dict[str, float]:
    """For the ledger: `confidence` is the mean posterior over the `judged_frames`, those of words that have one."""
    total, frames = judged(word for row in heard for word in row.words)
    return {
        "utterances": len(heard),
        "words": sum(len(row.words) for row in heard),
        "empty": sum(not row.words for row in heard),
        "judged_frames": frames,
        "confidence": round(total / max(frames, 1), 6),
    }
