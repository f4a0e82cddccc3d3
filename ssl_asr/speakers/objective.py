"""The losses of speaker embeddings as an objective of the training loop: each utterance's loss times its weight."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ssl_asr.speakers.companion import ExtractorCompanion
from ssl_asr.speakers.extractor import SpeakerExtractor
from ssl_asr.speakers.losses import accumulated, ge2e_losses, pair_losses, pair_weighted_mean, weighted_mean
from ssl_asr.speakers.pool import Pool
from ssl_asr.speakers.reading import GROUP
from ssl_asr.speakers.settings import TrainingSettings
from ssl_asr.speakers.weighting import Seen
from ssl_asr.training.data.batches import Batch, Piece
from ssl_asr.training.objectives.objective import Loss

UNWEIGHTED_LOSS = "unweighted_loss"


class SpeakerObjective:
    """Nats an utterance, weighted; the figure is without weights. A batch holds a step's utterances, by speaker."""

    figures: tuple[str, ...] = (UNWEIGHTED_LOSS,)
    needs_text = needs_lattices = False

    def __init__(self, settings: TrainingSettings, pool: Pool, companion: ExtractorCompanion) -> None:
        self.settings, self.companion = settings, companion
        self._speakers = {name: number for number, name in enumerate(pool.speakers)}
        self._groups = {name: number for number, name in enumerate(pool.groups)}

    def weight(self, pieces: Sequence[Piece]) -> float:
        return float(len(pieces))

    def loss(self, model: SpeakerExtractor, batch: Batch) -> Loss:
        """To be minimised, with the reversed gradients of an adversary in it. ValueError where it is not finite."""
        shape, weighting = self.settings.shape, self.companion.weighting
        embeddings_nd = model(batch.frames, batch.lengths)
        embeddings_smd = embeddings_nd.view(shape.speakers, shape.utterances, -1)
        pairs_nn = pair_losses(embeddings_smd, model.scale) if self.settings.loss == "pairs" else None
        if pairs_nn is not None:
            losses_n = accumulated(pairs_nn, shape.utterances)
        elif self.companion.classifier is not None:
            losses_n = self.companion.classifier(embeddings_nd, self._numbers(batch))
        else:
            losses_n = ge2e_losses(embeddings_smd, model.scale, model.shift).flatten()
        _check_finite(losses_n, batch)
        seen = Seen(embeddings_nd.detach(), losses_n.detach(), self._groups_of(batch))
        weights_n = self.companion.weights(seen)
        if pairs_nn is not None and weighting.pairs:
            loss = pair_weighted_mean(pairs_nn, weights_n, shape.utterances)
        else:
            loss = weighted_mean(losses_n, weights_n)
        weight = self.weight(batch.pieces)
        return Loss(loss, weight, {UNWEIGHTED_LOSS: seen.losses_n.mean().double() * weight})

    def _numbers(self, batch: Batch) -> torch.Tensor:
        return torch.tensor([self._speakers[name] for name in batch.speakers], device=batch.frames.device)

    def _groups_of(self, batch: Batch) -> torch.Tensor:
        numbers = [self._groups.get(tags.get(GROUP, ""), -1) for tags in batch.tags]
        return torch.tensor(numbers, device=batch.frames.device)


def _check_finite(losses_n: torch.Tensor, batch: Batch) -> None:
    """A weighting would carry such a loss into all later steps."""
    bad = [each for each, finite in zip(batch.ids, losses_n.isfinite().tolist(), strict=True) if not finite]
    if bad:
        raise ValueError(
            f"the loss of utterance '{bad[0]}' is not finite, beside others; `ssl-asr verify` looks at the features"
        )


def freeze_unused(model: SpeakerExtractor, settings: TrainingSettings) -> None:
    """Of the scale and shift of similarities, what the loss does not know."""
    model.scale.requires_grad_(settings.loss != "aam")
    model.shift.requires_grad_(settings.loss == "ge2e")
