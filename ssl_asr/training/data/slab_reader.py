"""Slabs to training examples: joins the stores of a run, shard by shard, slab by slab and row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.augment.speed import recording_places, speed_of
from ssl_asr.frontend.stacking import stack, stack_labels, stacked_length
from ssl_asr.sequence import lattice_shards
from ssl_asr.store import alignments, features, targets, utterance
from ssl_asr.store.copies import label_rows, recording_of
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.selection import Selection
from ssl_asr.training.data.sources import SlabRef, SourceName
from ssl_asr.training.data.versions import OneVersion

Weighted = tuple[FrameTargets, float]  # with the weight of each frame in the loss


@dataclass(frozen=True)
class SlabReader:
    """Joins the stores of a run; `target_set` is None if training uses no targets of unlabeled audio.

    Unlabeled audio has these targets, or with `true_labels`, for the topline alone, the labels of its texts.
    `selection` is the part of the unlabeled utterances that training uses; None means all. `one_version` chooses what
    a pass hears of a recording and its copies; None means all. `with_text` joins the manifest. `lattices` names a
    store of lattices of the labeled split: utterances without one are left out.
    """

    run: str
    mel_bins: int
    alignment_set: str
    target_set: str | None = None
    selection: Selection | None = None
    one_version: OneVersion | None = None
    with_text: bool = False
    true_labels: bool = False
    lattices: str | None = None

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        """The slab's utterances that have labels and are selected; there may be none.

        ValueError if the stores don't match.
        """
        table = ShardStore(self.run, features.STORE).read_slab(ref.shard, ref.slab)
        rows = features.decode(table, self.mel_bins)
        soft = source == "unlabeled" and not self.true_labels
        read = self._soft if soft else self._hard
        labelled = [(row, each) for row, each in zip(rows, read(rows, ref, offset), strict=True) if each is not None]
        if self.one_version is not None and ref.sweep is not None:
            recordings = [recording_of(row.id, row.condition) for row, _ in labelled]
            labelled = [labelled[place] for place in self.one_version.places(recordings, source, ref.sweep)]
        examples = [_example(row, stack(row.frames, offset), *each) for row, each in labelled]
        if self.lattices is not None and ref.shard.split == "labeled":
            examples = list(self._with_lattices(examples, ref, self.lattices))
        if not self.with_text:
            return examples
        joined = self._joined(examples, ref)
        # Who learns from a teacher's targets never sees what was said, even where the manifest knows it.
        return [replace(example, text=None) for example in joined] if soft else joined

    def _hard(self, rows: list[FeatureRow], ref: SlabRef, offset: int) -> list[Weighted | None]:
        """For each row its labels and their weight; None where it has none, or none that count."""
        store = ShardStore(self.run, alignments.store_name(self.alignment_set))
        table = store.read_slab(ref.shard, ref.slab)
        labels, weights = alignments.decode(table), [each.weight for each in alignments.decode_confidences(table)]
        _check_joined(store, ref, [row.id for row in rows], list(labels))
        stacked = [stack_labels(labels[row.id], offset) for row in rows]
        return [
            (FrameTargets(senones[:, None]), weight) if len(senones) and weight else None
            for senones, weight in zip(stacked, weights, strict=True)
        ]

    def _soft(self, rows: list[FeatureRow], ref: SlabRef, offset: int) -> list[Weighted | None]:
        """For each row its recording's targets, the same arrays for all copies; None where it is not selected."""
        assert self.target_set is not None, "soft targets need a target set"
        assert offset == 0, "targets are made at feature offset 0"
        store = ShardStore(self.run, targets.store_name(self.target_set))
        labelled = _decoded(store, ref)
        _check_joined(store, ref, [row.id for row in rows], [row.id for row in labelled])
        soft = [self._selected(label) for label in labelled]
        own = label_rows([row.id for row in rows], [row.condition for row in rows])
        return [_in_time_of(row, rows[place], soft[place]) for row, place in zip(rows, own, strict=True)]

    def _selected(self, label: targets.TargetRow) -> Weighted | None:
        selected = self.selection is None or self.selection.keeps(label.id, label.confidence)
        if not (selected and len(label.targets.senones)):
            return None
        return FrameTargets(label.targets.senones, np.exp(label.targets.log_probs)), 1.0

    def _with_lattices(self, examples: list[Example], ref: SlabRef, name: str) -> Iterator[Example]:
        store = ShardStore(self.run, name)
        table = store.read_slab(ref.shard, ref.slab)
        try:
            found = lattice_shards.decode(table)
        except ValueError as error:
            raise ValueError(f"{store.uri(ref.shard)}: {error}; {_again(store, ref)}") from error
        for example in examples:
            if example.id not in found:
                raise ValueError(f"{store.uri(ref.shard)} slab {ref.slab} lacks {example.id}; {_again(store, ref)}")
            lattice = found[example.id]
            if lattice is not None:
                assert lattice.num_frames == len(example.targets.senones), "lattices are made of aligned frames"
                yield replace(example, lattice=lattice)

    def _joined(self, examples: list[Example], ref: SlabRef) -> list[Example]:
        """With text and tags from the manifest's slab, which may hold more rows: the front end rejects some."""
        said = listed_in_slab(self.run, ref, [example.id for example in examples])
        return [replace(each, text=said[each.id].text, tags=said[each.id].tags) for each in examples]


def listed_in_slab(run: str, ref: SlabRef, ids: Sequence[str]) -> dict[str, Utterance]:
    """The manifest's slab by id; ValueError if it lacks one of `ids`. It may hold others."""
    store = ShardStore(run, utterance.STORE)
    said = {each.id: each for each in utterance.decode(store.read_slab(ref.shard, ref.slab))}
    missing = [name for name in ids if name not in said]
    if missing:
        raise ValueError(
            f"{store.uri(ref.shard)} slab {ref.slab} does not list the utterance {missing[0]}, "
            "which has features; run the stage 'corpus' again"
        )
    return said


def _example(row: FeatureRow, frames: npt.NDArray[np.float16], frame_targets: FrameTargets, weight: float) -> Example:
    return Example(frames, frame_targets, row.id, row.speaker, row.condition, weight=weight)


def _in_time_of(row: FeatureRow, like: FeatureRow, soft: Weighted | None) -> Weighted | None:
    """Targets of `like`, which `row` was made from, in the time of `row`: the same targets at the same sound."""
    factor, frames = speed_of(row.condition) / speed_of(like.condition), stacked_length(len(row.frames))
    if soft is None or factor == 1:
        return soft
    if not frames:
        return None
    targets_of, weight = soft
    assert targets_of.posteriors is not None, "soft targets"
    places = recording_places(frames, len(targets_of.senones), factor)
    return FrameTargets(targets_of.senones[places], targets_of.posteriors[places]), weight


def _decoded(store: ShardStore, ref: SlabRef) -> list[targets.TargetRow]:
    table = store.read_slab(ref.shard, ref.slab)
    try:
        return targets.decode(table)
    except ValueError as error:
        raise ValueError(f"{store.uri(ref.shard)}: {error}; `ssl-asr verify RUN --repair` fixes it") from error


def _again(store: ShardStore, ref: SlabRef) -> str:
    return f"delete {store.ledger_uri(ref.shard)} and run the stage that writes it again"


def _check_joined(store: ShardStore, ref: SlabRef, here: list[str], there: list[str]) -> None:
    if here != there:
        raise ValueError(
            f"{store.uri(ref.shard)} slab {ref.slab} does not hold the utterances of the features beside it; "
            + _again(store, ref)
        )
