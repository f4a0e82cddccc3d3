"""What an extractor of speaker embeddings is trained with: the weighting of utterances, and the speakers' centres."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import nn

from ssl_asr.speakers.angular_margin import AngularMargin
from ssl_asr.speakers.embedding import embed
from ssl_asr.speakers.extractor import SpeakerExtractor
from ssl_asr.speakers.pool import Pool
from ssl_asr.speakers.settings import TrainingSettings, build_weighting
from ssl_asr.speakers.weighting import Seen
from ssl_asr.training.companion import Companion
from ssl_asr.training.data.sources import seed_of
from ssl_asr.training.sync.group import Group
from ssl_asr.training.sync.strategy import State

_CLUSTERED = 2000  # utterances at most


class ExtractorCompanion(Companion):
    """`weighting` begins after the pretraining; `classifier` is None but for the loss "aam"."""

    def __init__(self, pool: Pool, settings: TrainingSettings) -> None:
        super().__init__()
        self.pool, self.settings = pool, settings
        self.weighting = build_weighting(settings, len(pool.groups))
        self.classifier = AngularMargin(len(pool.speakers), settings.dimensions) if settings.loss == "aam" else None
        self.weighs = False
        self._before: State = {}

    def set_progress(self, progress: float) -> None:
        self.weighs = progress > self.settings.pretrain_steps / self.settings.steps
        self.weighting.requires_grad_(self.weighs)  # frozen: its first step is as of a new optimiser
        self._before = {name: buffer.clone() for name, buffer in self.weighting.named_buffers()}

    def weights(self, seen: Seen) -> torch.Tensor:
        """Weights [n], 1 in the pretraining."""
        if not self.weighs:
            return torch.ones_like(seen.losses_n)
        found: torch.Tensor = self.weighting(seen)
        return found

    def begin_phase(self, model: nn.Module, group: Group) -> None:
        """Finds the regions anew. One worker does it for all, whose machines may round otherwise."""
        if not (self.weighs and self.weighting.clusters):
            return
        assert isinstance(model, SpeakerExtractor)
        before_kd = self.weighting.get_buffer("centres")
        found_kd = self._regions(model, before_kd) if group.rank == 0 else torch.zeros_like(before_kd)
        self.weighting.set_centres(group.sum_(found_kd))

    def _regions(self, model: SpeakerExtractor, before_kd: torch.Tensor) -> torch.Tensor:
        """K-means of the embeddings; it starts from the centres before, so that regions keep their numbers."""
        random = np.random.default_rng(seed_of(self.settings.seed, "regions"))
        places = random.permutation(len(self.pool.utterances))[:_CLUSTERED]
        vectors = embed(model, [self.pool.utterances[place].frames for place in places])
        begin = before_kd.numpy() if before_kd.any() else None  # all are zero before the first time
        with threadpool_limits(1):
            means = KMeans(
                len(before_kd),
                init="k-means++" if begin is None else begin,
                n_init=10 if begin is None else 1,
                random_state=0,
            ).fit(vectors)
        return torch.from_numpy(means.cluster_centers_.astype(np.float32))

    def end_block(self, group: Group) -> None:
        self.weighting.share(self._before, group)
