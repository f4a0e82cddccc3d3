"""From log posteriors to the scores that the decoder searches: scaled log likelihoods, up to a constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
FRAME_SECONDS = 0.03  # of a row of scores


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
