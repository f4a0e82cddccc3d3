"""Slabs to training examples: stacked frames with the labels or top-k targets that lie beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.store import alignments, features, targets
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.selection import Selection
from ssl_asr.training.data.sources import SlabRef, SourceName


@dataclass(frozen=True)
class Example:
    """One utterance at 30 ms: frames float16 [T, 192] and per frame k senones (k = 1: a hard label).

    `posteriors` is [T, k], None for hard labels.
    """

    frames: npt.NDArray[np.float16]
    senones: npt.NDArray[np.uint16]
    posteriors: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class SlabReader:
    """Joins the stores of a run; `target_set` is None where nothing is trained on unlabeled audio.

    `selection` is the part of the unlabeled utterances that is trained on, None for all of them.
    """

    run: str
    mel_bins: int
    senone_set: str
    target_set: str | None = None
    selection: Selection | None = None

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        """The slab's utterances; those without labels, or not selected, are left out, maybe all of them.

        ValueError where stores don't match.
        """
        table = ShardStore(self.run, features.STORE).read_slab(ref.shard, ref.slab)
        rows = features.decode(table, self.mel_bins)
        read = self._soft if source == "unlabeled" else self._hard
        return list(read(rows, ref, offset))

    def _hard(self, rows: list[features.FeatureRow], ref: SlabRef, offset: int) -> Iterator[Example]:
        store = ShardStore(self.run, alignments.store_name(self.senone_set))
        labels = alignments.decode(store.read_slab(ref.shard, ref.slab))
        _check_joined(store, ref, [row.id for row in rows], list(labels))
        for row in rows:
            if len(labels[row.id]):
                senones = stack_labels(labels[row.id], offset)
                if len(senones):
                    yield Example(stack(row.frames, offset), senones[:, None], None)

    def _soft(self, rows: list[features.FeatureRow], ref: SlabRef, offset: int) -> Iterator[Example]:
        assert self.target_set is not None, "soft targets are those of one teacher"
        assert offset == 0, "targets are made at feature offset 0"
        store = ShardStore(self.run, targets.store_name(self.target_set))
        labelled = _decoded(store, ref)
        _check_joined(store, ref, [row.id for row in rows], [row.id for row in labelled])
        for row, label in zip(rows, labelled, strict=True):
            selected = self.selection is None or self.selection.keeps(label.id, label.confidence)
            if selected and len(label.targets.senones):
                yield Example(stack(row.frames), label.targets.senones, np.exp(label.targets.log_probs))


def _decoded(store: ShardStore, ref: SlabRef) -> list[targets.TargetRow]:
    table = store.read_slab(ref.shard, ref.slab)
    try:
        return targets.decode(table)
    except ValueError as error:
        raise ValueError(f"{store.uri(ref.shard)}: {error}; `ssl-asr verify` fixes it") from error


def _check_joined(store: ShardStore, ref: SlabRef, here: list[str], there: list[str]) -> None:
    if here != there:
        raise ValueError(
            f"{store.uri(ref.shard)} slab {ref.slab} does not hold the utterances of the features beside it; "
            f"delete {store.ledger_uri(ref.shard)} and run the stage that writes it again"
        )
