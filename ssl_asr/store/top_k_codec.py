"""Top-k codec: the largest teacher posteriors of a frame as senone ids and small whole steps.

A frame keeps its largest senones: at most k, and as few as hold all but `mass_floor` of the probability of those k.
Their log-probabilities are rounded to levels, multiples of `step` nats below the frame's largest. Stored is each
level's rise over the level before it. These are small numbers with few different values, which Parquet's general
compression brings near their entropy. No frame has its own header or scale, so encoding and decoding are a few array
operations on all frames at once.

The loss is KL(top-k || decoded) of a frame. Rounding by at most half a step costs at most step^2 / 8 nats, and step^2
/ 24 on average. Leaving out a share m of the probability costs -log(1 - m), at most about `mass_floor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Range below the frame's largest log-probability; smaller values (below e^-16 of it) are stored at its end.
RANGE_NATS = 16.0


@dataclass(frozen=True)
class TopKCodec:
    """`value_bits` (2 to 8) sets the step, RANGE_NATS / (2^value_bits - 1)."""

    k: int = 20
    value_bits: int = 8
    mass_floor: float = 0.0

    @property
    def step(self) -> float:
        return RANGE_NATS / (2**self.value_bits - 1)


@dataclass(frozen=True)
class Encoded:
    """`kept` uint16 [frames], at least 1; `senones` uint16 and `rises` uint8 [sum of kept], frame after frame."""

    kept: npt.NDArray[np.uint16]
    senones: npt.NDArray[np.uint16]
    rises: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SparseTargets:
    """`senones` uint16 and `log_probs` float32, both [frames, k], by falling probability; a frame sums to 1.

    Places after a frame's kept entries hold senone 0 with a log-probability of -inf.
    """

    senones: npt.NDArray[np.uint16]
    log_probs: npt.NDArray[np.float32]


def encode(senones_tk: npt.NDArray[np.integer], log_probs_tk: npt.NDArray[np.floating], codec: TopKCodec) -> Encoded:
    """`log_probs_tk` [frames, k] by falling value, up to a constant of the frame; ids up to 65,535."""
    below_tk = log_probs_tk[:, :1] - log_probs_tk
    powers_tk = np.exp(-below_tk)
    before_tk = np.cumsum(powers_tk, axis=1) - powers_tk
    # An entry is kept while the entries before it hold too little probability; without a floor all entries are kept.
    kept_tk = before_tk < (1 - codec.mass_floor) * powers_tk.sum(axis=1, keepdims=True)
    kept_tk[:, : 1 if codec.mass_floor else None] = True
    levels_tk = np.minimum(np.rint(below_tk / codec.step), 2**codec.value_bits - 1)
    rises_tk = np.diff(levels_tk, axis=1, prepend=0.0)
    return Encoded(
        kept_tk.sum(axis=1).astype(np.uint16),
        senones_tk[kept_tk].astype(np.uint16),
        rises_tk[kept_tk].astype(np.uint8),
    )


def decode(encoded: Encoded, k: int, step: float) -> SparseTargets:
    """The targets that `encode` kept; ValueError if the three arrays do not fit together."""
    total = int(encoded.kept.sum(dtype=np.int64))
    outside = (encoded.kept < 1) | (encoded.kept > k)
    if not total == len(encoded.senones) == len(encoded.rises) or outside.any():
        raise ValueError(
            f"{len(encoded.senones)} senones, {len(encoded.rises)} rises for {total} entries of 1 to {k} a frame"
        )
    kept_tk = np.arange(k) < encoded.kept[:, None]
    senones_tk = np.zeros(kept_tk.shape, np.uint16)
    senones_tk[kept_tk] = encoded.senones
    rises_tk = np.zeros(kept_tk.shape, np.float32)
    rises_tk[kept_tk] = encoded.rises
    below_tk = np.cumsum(rises_tk, axis=1, dtype=np.float32) * np.float32(step)
    powers_tk = np.exp(-below_tk) * kept_tk
    log_sum_t1 = np.log(powers_tk.sum(axis=1, keepdims=True))
    return SparseTargets(senones_tk, np.where(kept_tk, -below_tk - log_sum_t1, np.float32(-np.inf)))


def added_kl(
    senones_tk: npt.NDArray[np.integer], log_probs_tk: npt.NDArray[np.floating], decoded: SparseTargets
) -> npt.NDArray[np.float64]:
    """KL(top-k || decoded) of each frame, nats [frames]; `log_probs_tk` need not be normalised.

    It is the divergence over the kept entries, plus -log of their probability. Without dropped entries it is the
    plain divergence; with dropped entries the plain divergence would be infinite.
    """
    assert (senones_tk == np.where(np.isfinite(decoded.log_probs), decoded.senones, senones_tk)).all()
    kept_tk = np.isfinite(decoded.log_probs)
    wanted_tk = log_probs_tk.astype(np.float64)
    wanted_tk = wanted_tk - np.log(np.exp(wanted_tk).sum(axis=1, keepdims=True))
    mass_t1 = np.where(kept_tk, np.exp(wanted_tk), 0).sum(axis=1, keepdims=True)
    inside_tk = np.where(kept_tk, wanted_tk - np.log(mass_t1), 0)
    gap_tk = np.where(kept_tk, inside_tk - decoded.log_probs, 0)
    return (np.exp(inside_tk) * kept_tk * gap_tk).sum(axis=1) - np.log(mass_t1[:, 0])
