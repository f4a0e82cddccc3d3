"""One shard of lattices from one shard of labeled features: what an actor does for sequence training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.decoding.graph_files import load_graph
from ssl_asr.decoding.lattice_decoder import LatticeDecoder
from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.sequence import lattice_shards
from ssl_asr.sequence.best_path import best_path, most
from ssl_asr.sequence.lattices import Lattice
from ssl_asr.store import alignments, features
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.sequence.lattice_sets import LatticeSet

BATCH_FRAMES = 6000  # 30 ms frames of a batch of the network, with padding

Labels = Mapping[str, npt.NDArray[np.uint16]]


@dataclass
class Meters:
    """Sums over the frames of a shard: arcs, and frames that are right on the best path and on the rightest one."""

    frames: int = 0
    arcs: int = 0
    best: float = 0.0
    oracle: float = 0.0

    def add(self, lattice: Lattice, scores_ts: npt.NDArray[np.float32], labels_t: npt.NDArray[np.uint16]) -> None:
        right = (lattice.arcs.senones == labels_t[lattice.frames]).astype(np.float64)
        self.frames += lattice.num_frames
        self.arcs += len(lattice.arcs)
        self.best += float(right[best_path(lattice, lattice.scores(scores_ts)).arcs].sum())
        self.oracle += most(lattice, right)

    def statistics(self) -> dict[str, float]:
        """Means over frames, for the ledger."""
        sums = {"density": self.arcs, "best_path_accuracy": self.best, "oracle_accuracy": self.oracle}
        return {name: round(value / max(self.frames, 1), 4) for name, value in sums.items()}


class LatticeJob(ShardMaker):
    """Decodes every aligned utterance of a shard, clean or degraded, and keeps its lattice with the priors in it."""

    def __init__(self, wanted: LatticeSet) -> None:
        torch.set_num_threads(1)  # more cores run more actors, and sums are the same everywhere
        super().__init__(ShardStore(wanted.run, features.STORE), ShardStore(wanted.run, wanted.store))
        self.wanted = wanted
        self.aligned = ShardStore(wanted.run, alignments.store_name(wanted.alignment_set))
        self.log_priors = load_senones(wanted.run).log_priors()
        self._models: dict[str, AcousticModel] = {}

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self.wanted.parents(source)

    @cached_property
    def decoder(self) -> LatticeDecoder:
        graph = load_graph(self.wanted.run, inputs_key(self.wanted.graph))
        return LatticeDecoder(graph, self.wanted.settings.beam, self.wanted.settings.lattice_beam)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if features or alignments of the shard cannot be read."""
        model, meters, rejects, tables = self._model(shard), Meters(), list[Reject](), []
        for slab, aligned in zip(self.source.read_slabs(shard), self.aligned.read_slabs(shard), strict=True):
            rows = features.decode(slab, self.wanted.mel_bins)
            lattices = self._lattices(model, rows, alignments.decode(aligned), meters, rejects)
            tables.append(lattice_shards.encode([row.id for row in rows], lattices))
        frames = [int(table["num_frames"].to_numpy().sum()) for table in tables]
        return ShardContent(
            lattice_shards.SCHEMA,
            tables,
            frames,
            seconds=sum(frames) * FRAME_SECONDS,
            metadata={"ssl_asr.kappa": repr(self.wanted.settings.kappa), "ssl_asr.frame_seconds": str(FRAME_SECONDS)},
            column_encoding=lattice_shards.COLUMN_ENCODING,
            statistics=meters.statistics(),
            rejects=rejects,
        )

    def _model(self, shard: Shard) -> AcousticModel:
        name, _ = self.wanted.model_of(shard)
        if name not in self._models:
            self._models = {name: load_model(model_uri(self.wanted.run, name))[0]}
        return self._models[name]

    def _lattices(
        self,
        model: AcousticModel,
        rows: Sequence[FeatureRow],
        labels: Labels,
        meters: Meters,
        rejects: list[Reject],
    ) -> list[Lattice | None]:
        """One for each row; None without alignment, which is no reject here, and where there is no lattice."""
        found: list[Lattice | None] = [None] * len(rows)
        frames = [stack(row.frames if len(labels[row.id]) else row.frames[:0]) for row in rows]
        scales = Scales(self.wanted.settings.kappa)
        for index, posteriors in log_posteriors(model, frames, BATCH_FRAMES):
            name, labels_t = rows[index].id, stack_labels(labels[rows[index].id])
            scores = acoustic_scores(posteriors, self.log_priors, scales)
            try:
                lattice = self.decoder.decode(scores)
            except ValueError as error:
                rejects.append(Reject(name, f"it has no lattice to train on: {error}"))
                continue
            if len(labels_t) != lattice.num_frames:
                rejects.append(
                    Reject(name, f"it has {len(labels_t)} aligned frames of 30 ms, but {lattice.num_frames} in all")
                )
                continue
            meters.add(lattice, scores, labels_t)
            found[index] = lattice.with_priors(self.log_priors, scales.kappa)
        return found
