"""One shard of targets from one shard of unlabeled features: what a teacher actor does."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ssl_asr.frontend.stacking import stack, stacked_length
from ssl_asr.labelling.teachers import load_teacher, target_set_id, teacher_id
from ssl_asr.labelling.top_k import KeptMass, Labels, Meters, no_frames, top_k
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, targets, top_k_codec
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import LedgerEntry, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.top_k_codec import TopKCodec


def target_parents(recipe: Recipe, features_checksum: str, teacher: str) -> dict[str, str]:
    """What the targets of the feature shard with this checksum are made from."""
    return {"features": features_checksum, "teacher": teacher, "recipe": recipe.key("labelling")}


class LabelJob:
    """Holds the teacher; labels and publishes shards. An actor holds one for its life.

    Called from several threads at once, shards take turns with the network, and the others read, encode and
    publish meanwhile. What a shard holds depends on the shard alone.
    """

    def __init__(self, recipe: Recipe) -> None:
        # One thread for one actor: more of them would add up in an order, and so in last bits, of their own.
        # More cores serve more actors.
        torch.set_num_threads(1)
        self.recipe = recipe
        self.teacher, self.teacher_id = load_teacher(recipe), teacher_id(recipe)
        wanted = recipe.labelling
        self.codec = TopKCodec(wanted.k, wanted.value_bits, wanted.mass_floor)
        self.source = ShardStore(recipe.run, features.STORE)
        self.store = ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))
        self._network = threading.Lock()

    def __call__(self, shard: Shard) -> None:
        """ValueError where the feature shard cannot be read or the teacher gives no finite posteriors."""
        source = self.source.entry(shard)
        assert source is not None, "the stage lists finished shards"
        parents = target_parents(self.recipe, source.checksum, self.teacher_id)
        if self.store.is_done(shard, parents):
            return  # by an actor that died after it, with other shards of the same task to do
        bins = self.recipe.frontend.mel_bins
        slabs = [features.decode(table, bins) for table in self.source.read_slabs(shard)]
        with self._network:
            # Said again in every thread that calls: OpenMP keeps the number by thread.
            torch.set_num_threads(1)
            labelled = self.label([row.frames for slab in slabs for row in slab])
        self._publish(source, parents, slabs, labelled)

    def label(self, utterances: Sequence[npt.NDArray[np.float16]]) -> list[tuple[Labels, KeptMass]]:
        """Labels of each of `utterances`, [10 ms frames, mel bins], in the order given."""
        k = self.codec.k
        labels = [(no_frames(k), KeptMass())] * len(utterances)
        lengths = [stacked_length(len(frames)) for frames in utterances]
        for batch in batches_of_like_length(lengths, self.recipe.labelling.batch_frames):
            stacked = [torch.from_numpy(stack(utterances[index]).astype(np.float32)) for index in batch]
            for index, log_probs_ts in zip(batch, self.teacher.log_probabilities(stacked), strict=True):
                labels[index] = top_k(log_probs_ts, k)
                # One NaN makes all of its frame NaN, so the few that were kept tell.
                if not np.isfinite(labels[index][0].log_probs).all():
                    raise ValueError(f"teacher {self.teacher_id} gives NaN or infinite logits; train it anew")
        return labels

    def _publish(
        self,
        source: LedgerEntry,
        parents: Mapping[str, str],
        slabs: Sequence[Sequence[FeatureRow]],
        labelled: Sequence[tuple[Labels, KeptMass]],
    ) -> None:
        meters, tables = Meters(), []
        results = iter(labelled)
        for slab in slabs:
            mine = [next(results) for _ in slab]
            for row, result in zip(slab, mine, strict=True):
                meters.add(row.condition, *result)
            tables.append(self._encode(slab, [labels for labels, _ in mine]))
        counts = [int(table["num_frames"].to_numpy().sum()) for table in tables]
        self.store.publish(
            source.shard,
            targets.SCHEMA,
            tables,
            counts,
            seconds=sum(counts) * targets.FRAME_SECONDS,
            parents=parents,
            metadata=targets.codec_metadata(self.codec),
            column_encoding=targets.COLUMN_ENCODING,
            statistics=meters.statistics(),
        )

    def _encode(self, slab: Sequence[FeatureRow], labels: Sequence[Labels]) -> pa.Table:
        """All frames of a slab at once, then cut at the ends of its utterances."""
        senones = np.concatenate([each.senones for each in labels])
        log_probs = np.concatenate([each.log_probs for each in labels])
        encoded = top_k_codec.encode(senones, log_probs, self.codec)
        frames = [len(each.senones) for each in labels]
        return targets.encode([row.id for row in slab], [each.confidence for each in labels], frames, encoded)
