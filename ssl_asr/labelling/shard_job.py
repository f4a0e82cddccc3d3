"""One shard of targets from one shard of unlabeled features: what a teacher actor does."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ssl_asr.frontend.stacking import stack, stacked_length
from ssl_asr.labelling.teachers import labelling_inputs, load_teacher, target_set_id, teacher_id
from ssl_asr.labelling.top_k import KeptMass, Labels, Meters, no_frames, top_k
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import features, targets, top_k_codec
from ssl_asr.store.copies import label_rows
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.top_k_codec import TopKCodec


class TargetParents:
    """What the targets of a shard of features are made from."""

    def __init__(self, recipe: Recipe) -> None:
        self.shared = {"teacher": teacher_id(recipe), **labelling_inputs(recipe)}

    def __call__(self, source: SourceShard) -> dict[str, str]:
        return {"features": source.checksum, **self.shared}


class LabelJob(ShardMaker):
    """Holds the teacher; labels and publishes shards. An actor keeps one job for its lifetime.

    Several threads may call it at once: one shard uses the network, the others read, encode and publish meanwhile.
    The content of a shard depends on the shard alone. A degraded copy beside its clean recording is not labelled: its
    row stays empty, and whoever reads it takes the targets of the recording.
    """

    def __init__(self, recipe: Recipe) -> None:
        # One thread for one actor: with more threads the order of sums, and so the last bits, would vary.
        # More cores run more actors.
        torch.set_num_threads(1)
        store = ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))
        super().__init__(ShardStore(recipe.run, features.STORE), store)
        self.recipe = recipe
        self.teacher, self.teacher_id = load_teacher(recipe), teacher_id(recipe)
        settings = recipe.labelling
        # The tail is an entry beside those of the k senones.
        self.codec = TopKCodec(settings.k + settings.tail, settings.value_bits, settings.mass_floor)
        self._no_frames = no_frames(settings.k)
        self._has_tail = settings.tail
        self._parents = TargetParents(recipe)
        self._network = threading.Lock()

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._parents(source)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the feature shard cannot be read or the teacher's posteriors are not finite."""
        bins = self.recipe.frontend.mel_bins
        slabs = [features.decode(table, bins) for table in self.source.read_slabs(shard)]
        with self._network:
            # Set again in every calling thread: OpenMP keeps the number for each thread.
            torch.set_num_threads(1)
            labelled = self.label([row.frames for slab in slabs for row in _labelled(slab)])
        return self._content(slabs, labelled)

    def label(self, utterances: Sequence[npt.NDArray[np.float16]]) -> list[tuple[Labels, KeptMass]]:
        """Labels of each of `utterances`, [10 ms frames, mel bins], in the order given."""
        settings = self.recipe.labelling
        labels = [(self._no_frames, KeptMass())] * len(utterances)
        lengths = [stacked_length(len(frames)) for frames in utterances]
        for batch in batches_of_like_length(lengths, settings.batch_frames):
            stacked = [torch.from_numpy(stack(utterances[index]).astype(np.float32)) for index in batch]
            for index, log_probs_ts in zip(batch, self.teacher.log_probabilities(stacked), strict=True):
                labels[index] = top_k(log_probs_ts, settings.k, settings.tail)
                # One NaN makes its whole frame NaN, so checking the kept values is enough.
                if not np.isfinite(labels[index][0].log_probs).all():
                    raise ValueError(f"teacher {self.teacher_id} gives NaN or infinite logits; train it again")
        return labels

    def _content(
        self, slabs: Sequence[Sequence[FeatureRow]], labelled: Sequence[tuple[Labels, KeptMass]]
    ) -> ShardContent:
        meters, tables = Meters(), []
        results = iter(labelled)
        for slab in slabs:
            labels = {}
            for row in _labelled(slab):
                labels[row.id], kept = next(results)
                meters.add(row.condition, labels[row.id], kept)
            tables.append(self._encode(slab, [labels.get(row.id, self._no_frames) for row in slab]))
        counts = [int(table["num_frames"].to_numpy().sum()) for table in tables]
        return ShardContent(
            targets.SCHEMA,
            tables,
            counts,
            seconds=sum(counts) * targets.FRAME_SECONDS,
            metadata=targets.codec_metadata(self.codec, self.teacher.num_outputs() if self._has_tail else None),
            column_encoding=targets.COLUMN_ENCODING,
            statistics=meters.statistics(),
        )

    def _encode(self, slab: Sequence[FeatureRow], labels: Sequence[Labels]) -> pa.Table:
        """Encodes all frames of a slab at once, then cuts them at the ends of the utterances."""
        stored = [each.with_tail(self.teacher.num_outputs()) for each in labels] if self._has_tail else labels
        senones = np.concatenate([each.senones for each in stored])
        log_probs = np.concatenate([each.log_probs for each in stored])
        encoded = top_k_codec.encode(senones, log_probs, self.codec)
        frames = [len(each.senones) for each in labels]
        return targets.encode([row.id for row in slab], [each.confidence for each in labels], frames, encoded)


def _labelled(slab: Sequence[FeatureRow]) -> list[FeatureRow]:
    """The rows with targets of their own."""
    rows = label_rows([row.id for row in slab], [row.condition for row in slab])
    return [row for place, row in enumerate(slab) if rows[place] == place]
