"""From an acoustic model to the log posteriors of utterances, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ssl_asr.decoding.scores import Float32
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.length_batches import batches_of_like_length


def log_posteriors(
    model: AcousticModel, utterances: Sequence[Float32], batch_frames: int, cohorts: Sequence[int] | None = None
) -> Iterator[tuple[int, Float32]]:
    """(index, log posteriors [frames, senones]) of each utterance [30 ms frames, inputs], longest first.

    Utterances without frames are skipped. A batch has at most `batch_frames` frames with padding, or one utterance.
    `cohorts` numbers those of the utterances, None: all are unknown.
    """
    for batch in batches_of_like_length([len(frames) for frames in utterances], batch_frames):
        told = None if cohorts is None else [cohorts[index] for index in batch]
        logits = model.logits([torch.from_numpy(np.array(utterances[index], np.float32)) for index in batch], told)
        for index, row in zip(batch, logits, strict=True):
            yield index, torch.log_softmax(row.float(), dim=-1).numpy()
