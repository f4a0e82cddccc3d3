"""Slabs to examples with words instead of frame labels: what transducers are trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ssl_asr.frontend.stacking import stack
from ssl_asr.store import alignments, features
from ssl_asr.store.copies import label_rows, recording_of
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.hypotheses import HypothesisRow, read_hypotheses
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.slab_reader import listed_in_slab
from ssl_asr.training.data.sources import SlabRef, SourceName
from ssl_asr.training.data.versions import OneVersion

Said = tuple[str, float]  # a text that is not empty, and the weight of the utterance


@dataclass(frozen=True)
class TranscribedReader:
    """Joins features with true texts, or for unlabeled audio with those of a teacher.

    `hypothesis_set` names the teacher's texts; None if training uses no unlabeled audio. Its utterances whose
    confidence is below `least_confidence`, and those without a word, are left out. `one_version` as for `SlabReader`.
    With an `alignment_set`, labeled utterances have the weights that it gives their texts. Those that are not aligned
    are left out.
    """

    run: str
    mel_bins: int
    hypothesis_set: str | None = None
    least_confidence: float = 0.0
    one_version: OneVersion | None = None
    alignment_set: str | None = None

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        """The slab's utterances that have words; there may be none. ValueError if the stores don't match."""
        table = ShardStore(self.run, features.STORE).read_slab(ref.shard, ref.slab)
        rows = features.decode(table, self.mel_bins)
        read = self._recognised if source == "unlabeled" else self._said
        found = [(row, said) for row, said in zip(rows, read(rows, ref), strict=True) if said is not None]
        if self.one_version is not None and ref.sweep is not None:
            recordings = [recording_of(row.id, row.condition) for row, _ in found]
            found = [found[place] for place in self.one_version.places(recordings, source, ref.sweep)]
        examples = [_example(row, said, offset) for row, said in found]
        return [example for example in examples if len(example.frames)]

    def _said(self, rows: list[FeatureRow], ref: SlabRef) -> list[Said | None]:
        """The manifest's text of each row, None where there is none; the manifest may hold more rows."""
        said = listed_in_slab(self.run, ref, [row.id for row in rows])
        weights = self._weights(ref)
        return [_said_with(said[row.id].text, 1.0 if weights is None else weights.get(row.id, 0.0)) for row in rows]

    def _weights(self, ref: SlabRef) -> dict[str, float] | None:
        """Of the aligned utterances by id; None where texts are not judged."""
        if self.alignment_set is None or ref.shard.split != "labeled":
            return None
        table = ShardStore(self.run, alignments.store_name(self.alignment_set)).read_slab(ref.shard, ref.slab)
        aligned = zip(alignments.decode(table).items(), alignments.decode_confidences(table), strict=True)
        return {name: found.weight if len(senones) else 0.0 for (name, senones), found in aligned}

    def _recognised(self, rows: list[FeatureRow], ref: SlabRef) -> list[Said | None]:
        """The teacher's text of each row's recording, the same for all copies."""
        assert self.hypothesis_set is not None, "unlabeled speech needs a teacher's words"
        found = read_hypotheses(self.run, self.hypothesis_set, ref.shard, ref.slab)
        if [row.id for row in rows] != [each.id for each in found]:
            raise ValueError(
                f"{self.run}: the hypotheses {self.hypothesis_set} of {ref.name} are not of the features beside it; "
                "run the stage 'hypotheses' again"
            )
        kept = [_said_with(each.text if self._keeps(each) else None, 1.0) for each in found]
        own = label_rows([row.id for row in rows], [row.condition for row in rows])
        return [kept[place] for place in own]

    def _keeps(self, row: HypothesisRow) -> bool:
        return row.confidence is None or row.confidence >= self.least_confidence


def _said_with(text: str | None, weight: float) -> Said | None:
    return (text, weight) if text and weight else None


def _example(row: FeatureRow, said: Said, offset: int) -> Example:
    frames = stack(row.frames, offset)
    # Words have no frames: every frame is there, and none has a label.
    example = Example(frames, FrameTargets(np.empty((len(frames), 0), np.uint16)), row.id, row.speaker, row.condition)
    text, weight = said
    return replace(example, text=text, weight=weight)
