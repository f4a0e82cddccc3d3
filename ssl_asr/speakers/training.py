"""Trains an extractor, step by step, with checkpoints: an interrupted training ends as one that was not.

It is no course of the run's training loop. That loop walks slabs, which hold whole speakers, and makes batches of
frames of like length; metric learning needs many speakers in each batch, drawn from everywhere. It also averages all
workers' networks, where an adversary's would have to follow another rule. So one process trains, without Ray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import nn

from ssl_asr.speakers.angular_margin import AngularMargin
from ssl_asr.speakers.batches import SpeakerBatch, check_speakers, draw_batch
from ssl_asr.speakers.embedding import embed
from ssl_asr.speakers.extractor import ExtractorSpec, SpeakerExtractor
from ssl_asr.speakers.losses import accumulated, ge2e_losses, pair_losses, pair_weighted_mean, weighted_mean
from ssl_asr.speakers.pool import Pool
from ssl_asr.speakers.settings import TrainingSettings, build_weighting, check_settings
from ssl_asr.speakers.weighting import Seen
from ssl_asr.store import filesystem
from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.training.data.sources import seed_of

_CLUSTERED = 2000  # utterances at most
_MODEL, _WEIGHTING, _CLASSIFIER, _ADAM = "model.", "weighting.", "classifier.", "adam."


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation [inputs] of the stored frames."""

    mean: torch.Tensor
    deviation: torch.Tensor


class ExtractorTraining:
    """The state of a training after `step` steps; `losses` has the plain mean loss of each in nats."""

    def __init__(self, pool: Pool, statistics: Statistics, settings: TrainingSettings) -> None:
        check_settings(settings, len(pool.groups))
        check_speakers(pool, settings.shape)
        self.pool, self.settings = pool, settings
        spec = ExtractorSpec(
            len(statistics.mean), settings.layers, settings.units, settings.dimensions, settings.pooling
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.model = SpeakerExtractor(spec)
            self.weighting = build_weighting(settings, len(pool.groups))
            self.classifier = (
                AngularMargin(len(pool.speakers), settings.dimensions) if settings.loss == "aam" else None
            )
        if self.weighting.clusters > len(pool.utterances):
            raise ValueError(
                f"{len(pool.utterances)} utterances make no {self.weighting.clusters} regions; give less --clusters"
            )
        self.model.frames.set_statistics(statistics.mean, statistics.deviation)
        learned = [each for module in self._modules.values() for each in module.parameters()]
        self.optimiser = torch.optim.Adam(learned, settings.learning_rate)
        self.step = 0
        self.losses: list[float] = []

    @property
    def _modules(self) -> dict[str, nn.Module]:
        """By the prefixes of their weights in a checkpoint, in the order of the optimiser."""
        found: dict[str, nn.Module] = {_MODEL: self.model, _WEIGHTING: self.weighting}
        return found if self.classifier is None else {**found, _CLASSIFIER: self.classifier}

    def run(self, after_step: Callable[[], None]) -> None:
        """From where it stands to the end, on one core: the same sums whatever the number of cores."""
        with _one_core():
            while self.step < self.settings.steps:
                self._refresh_regions()
                self._step(draw_batch(self.pool, self.settings.shape, self.settings.seed, self.step))
                self.step += 1
                after_step()

    def _step(self, batch: SpeakerBatch) -> None:
        self.model.train()
        self.optimiser.zero_grad()
        loss, mean = self._loss(batch)
        if not np.isfinite(mean):
            raise ValueError(
                f"the loss of step {self.step + 1} is not finite; `ssl-asr verify` looks at the features"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimiser.step()
        self.losses.append(mean)

    def _loss(self, batch: SpeakerBatch) -> tuple[torch.Tensor, float]:
        """To be minimised, with the reversed gradients of an adversary in it; and the mean without weights."""
        shape, model = self.settings.shape, self.model
        embeddings_nd = model(batch.frames_btd, batch.lengths_b)
        embeddings_smd = embeddings_nd.view(shape.speakers, shape.utterances, -1)
        pairs_nn = None
        if self.settings.loss == "pairs":
            pairs_nn = pair_losses(embeddings_smd, model.scale)
            losses_n = accumulated(pairs_nn, shape.utterances)
        elif self.classifier is not None:
            speakers = np.repeat(batch.speakers, shape.utterances)
            losses_n = self.classifier(embeddings_nd, torch.from_numpy(speakers))
        else:
            losses_n = ge2e_losses(embeddings_smd, model.scale, model.shift).flatten()
        mean = float(losses_n.detach().mean())
        weights_n = self._weights(embeddings_nd.detach(), losses_n.detach(), batch)
        if pairs_nn is not None and self.weighting.pairs:
            return pair_weighted_mean(pairs_nn, weights_n, shape.utterances), mean
        return weighted_mean(losses_n, weights_n), mean

    def _weights(self, embeddings_nd: torch.Tensor, losses_n: torch.Tensor, batch: SpeakerBatch) -> torch.Tensor:
        if self.step < self.settings.pretrain_steps:
            return torch.ones_like(losses_n)
        groups_n = torch.from_numpy(self.pool.group_n[batch.places])
        found: torch.Tensor = self.weighting(Seen(embeddings_nd, losses_n, groups_n))
        return found

    def _refresh_regions(self) -> None:
        """K-means of the embeddings; later ones start from the centres before, so that regions keep their numbers."""
        count, after = self.weighting.clusters, self.step - self.settings.pretrain_steps
        if not count or after < 0 or after % self.settings.refresh_steps:
            return
        random = np.random.default_rng(seed_of(self.settings.seed, "regions"))
        places = random.permutation(len(self.pool.utterances))[:_CLUSTERED]
        vectors = embed(self.model, [self.pool.utterances[place].frames for place in places])
        begin = None if after == 0 else self.weighting.get_buffer("centres").numpy()
        with threadpool_limits(1):
            means = KMeans(
                count, init="k-means++" if begin is None else begin, n_init=10 if begin is None else 1, random_state=0
            ).fit(vectors)
        self.weighting.set_centres(torch.from_numpy(means.cluster_centers_.astype(np.float32)))

    def save(self, uri: str, key: str) -> None:
        """Everything that the rest depends on; `key` says of what training it is."""
        tensors = {
            prefix + name: tensor
            for prefix, module in self._modules.items()
            for name, tensor in module.state_dict().items()
        }
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{_ADAM}{number}.{name}": tensor for name, tensor in state.items()}
        write_weights(uri, tensors, {"key": key, "step": self.step, "losses": self.losses})

    def load(self, uri: str, key: str) -> None:
        """Goes on from `uri` if it is there and of this training."""
        if not filesystem.exists(uri):
            return
        tensors, about = read_weights(uri)
        if about.get("key") != key:
            return
        for prefix, module in self._modules.items():
            module.load_state_dict(_below(tensors, prefix))
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _below(tensors, _ADAM).items():
            number, _, field = name.partition(".")
            states.setdefault(int(number), {})[field] = tensor
        kept: dict[str, Any] = {**self.optimiser.state_dict(), "state": states}
        self.optimiser.load_state_dict(kept)
        self.step, self.losses = about["step"], list(about["losses"])


@contextmanager
def _one_core() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
