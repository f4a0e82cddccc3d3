"""What objectives over single frames share: the logits of valid frames, and how many of them are right."""

from __future__ import annotations

import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.training.data.batches import Batch

FRAME_ACCURACY = "frame_accuracy"


def valid_logits(model: AcousticModel, batch: Batch) -> torch.Tensor:
    """Logits [n, senones] of the outputs that have a target: no other reaches the last layer."""
    hidden_btd, _ = model.encode(batch.frames, batch.lengths, cohorts_b=batch.cohorts)
    return model.classify(hidden_btd[batch.valid])


def hits(logits_nv: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Weight of the frames of which the likeliest senone is the label, or the first of the targets but a tail."""
    label_n = batch.senones[:, 0]
    if batch.senones.shape[1] > 1:
        label_n = torch.where(label_n == logits_nv.shape[1], batch.senones[:, 1], label_n)
    right_n = logits_nv.detach().argmax(1) == label_n
    return right_n.sum() if batch.weights is None else (right_n * batch.weights).sum()
