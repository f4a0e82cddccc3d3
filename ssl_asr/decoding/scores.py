"""From an acoustic model to the scores that the decoder searches: scaled log likelihoods, up to a constant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.length_batches import batches_of_like_length

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Scales:
    """`kappa` weighs the acoustic score against the language model, `prior` the log prior within the score."""

    kappa: float
    prior: float = 1.0


def acoustic_scores(log_posteriors_ts: Float32, log_priors_s: Float32, scales: Scales) -> Float32:
    """kappa (log p(senone | frame) - prior log p(senone)).

    With a prior scale of 1 this is kappa log p(frame | senone), up to a term that only the frame decides. The search
    treats frames as independent, but they are not: kappa below 1 reduces their weight. A prior scale below 1 takes
    back less of the network's preference for frequent senones.
    """
    return np.float32(scales.kappa) * (log_posteriors_ts - np.float32(scales.prior) * log_priors_s)


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
