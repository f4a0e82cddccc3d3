"""From an acoustic model to the scores that the decoder searches: scaled log likelihoods, up to a constant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.length_batches import batches_of_like_length

Float32 = npt.NDArray[np.float32]


def acoustic_scores(log_posteriors_ts: Float32, log_priors_s: Float32, kappa: float) -> Float32:
    """kappa (log p(senone | frame) - log p(senone)): log p(frame | senone) up to a term that only the frame decides.

    The search treats frames as independent, but they are not. kappa below 1 reduces their weight against the language
    model.
    """
    return np.float32(kappa) * (log_posteriors_ts - log_priors_s)


def log_posteriors(
    model: AcousticModel, utterances: Sequence[Float32], batch_frames: int
) -> Iterator[tuple[int, Float32]]:
    """(index, log posteriors [frames, senones]) of each utterance [30 ms frames, inputs], longest first.

    Utterances without frames are skipped. A batch has at most `batch_frames` frames with padding, or one utterance.
    """
    for batch in batches_of_like_length([len(frames) for frames in utterances], batch_frames):
        logits = model.logits([torch.from_numpy(np.array(utterances[index], np.float32)) for index in batch])
        for index, row in zip(batch, logits, strict=True):
            yield index, torch.log_softmax(row.float(), dim=-1).numpy()
