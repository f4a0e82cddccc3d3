"""One shard of targets from one shard of unlabeled features: what a teacher actor does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.frontend.stacking import stack
from ssl_asr.labelling.batches import batches_of_like_length
from ssl_asr.labelling.top_k import Kept, no_frames, top_k
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, targets
from ssl_asr.store.ledger import LedgerEntry, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import TopK
from ssl_asr.training.model_files import load_model, model_uri


def target_parents(recipe: Recipe, source: LedgerEntry, teacher_id: str) -> dict[str, str]:
    """What the targets of the feature shard `source` are made from."""
    return {"features": source.checksum, "teacher": teacher_id, "recipe": recipe.key("labelling")}


def load_teacher(recipe: Recipe) -> AcousticModel:
    """The run's teacher; ValueError where its file is damaged or does not fit the recipe."""
    uri = model_uri(recipe.run, "teacher")
    teacher, _ = load_model(uri)
    inputs = recipe.frontend.stack * recipe.frontend.mel_bins
    if teacher.spec.inputs != inputs:
        raise ValueError(
            f"{uri} takes frames of {teacher.spec.inputs}, the recipe makes {inputs}; delete it and train anew"
        )
    if not recipe.labelling.k <= teacher.spec.outputs <= np.iinfo(np.uint16).max + 1:
        raise ValueError(
            f"{uri} has {teacher.spec.outputs} senones; targets need at least labelling.k={recipe.labelling.k} "
            f"and at most 65536: change labelling.k or hmm.senones"
        )
    return teacher


class LabelJob:
    """Holds the teacher; labels and publishes shards. An actor holds one for its life."""

    def __init__(self, recipe: Recipe, teacher_id: str) -> None:
        # One thread for one actor: more of them would add up in an order, and so in last bits, of their own.
        # More cores serve more actors.
        torch.set_num_threads(1)
        self.recipe, self.teacher_id = recipe, teacher_id
        self.teacher = load_teacher(recipe)
        if recipe.cluster.use_gpu:
            self.teacher.cuda()

    def __call__(self, shard: Shard) -> None:
        """ValueError where the feature shard cannot be read or the teacher gives no finite logits."""
        store = ShardStore(self.recipe.run, features.STORE)
        source = store.entry(shard)
        assert source is not None, "the stage lists finished shards"
        tables, counts, kept = [], [], Kept()
        for table in store.read_slabs(shard):
            rows = features.decode(table, self.recipe.frontend.mel_bins)
            labels, of_slab = self.label([row.frames for row in rows])
            tables.append(targets.encode([row.id for row in rows], labels))
            counts.append(of_slab.frames)
            kept += of_slab
        ShardStore(self.recipe.run, targets.store_name(self.teacher_id)).publish(
            shard,
            targets.SCHEMA,
            tables,
            counts,
            seconds=sum(counts) * targets.FRAME_SECONDS,
            parents=target_parents(self.recipe, source, self.teacher_id),
            metadata={"k": str(self.recipe.labelling.k), "frame_seconds": str(targets.FRAME_SECONDS)},
            statistics=kept.means(),
        )

    def label(self, utterances: Sequence[npt.NDArray[np.float16]]) -> tuple[list[TopK], Kept]:
        """Targets of each of `utterances`, [10 ms frames, mel bins], in the order given."""
        stacked = [torch.from_numpy(stack(frames).astype(np.float32)) for frames in utterances]
        labels = [no_frames(self.recipe.labelling.k)] * len(stacked)
        kept = Kept()
        lengths = [len(frames) for frames in stacked]
        for batch in batches_of_like_length(lengths, self.recipe.labelling.batch_frames):
            logits = self.teacher.logits([stacked[index] for index in batch])
            for index, logits_ts in zip(batch, logits, strict=True):
                if not torch.isfinite(logits_ts).all():
                    raise ValueError(f"teacher {self.teacher_id} gives NaN or infinite logits; train it anew")
                labels[index], of_utterance = top_k(logits_ts, self.recipe.labelling.k)
                kept += of_utterance
        return labels, kept
