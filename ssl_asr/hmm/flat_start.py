"""A model of every phone from utterances and their texts only.

Three-state monophones at 10 ms start with all states of an utterance equally long. Then estimation and alignment
alternate (Viterbi training). Later, LDA over nine spliced frames replaces cepstra with deltas, and the number of
components is doubled as often as the data allow. Every iteration is a map over chunks and a sum in their order, so
the result does not depend on the worker that computed a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from ssl_asr.hmm.flat_model import Fit, FlatModel, equal_moments, moments, scatter
from ssl_asr.hmm.lda import Scatter, lda
from ssl_asr.hmm.mixtures import Mixtures, estimate, split
from ssl_asr.hmm.transcripts import STATES_PER_PHONE
from ssl_asr.progress import Progress

LDA_DIMENSIONS = 40
# After this share of the iterations LDA is estimated; components are doubled at even distances between the others.
LDA_AT = 0.3
FIRST_DOUBLING, LAST_DOUBLING = 0.4, 0.85
# Components are doubled while each has at least this many 10 ms frames on average: 40 minutes give 16 a state.
FRAMES_A_COMPONENT = 100
MOST_DOUBLINGS = 6

# Applies a function of a chunk (and further arguments) to every chunk; results in the chunks' order.
MapChunks = Callable[..., list[Any]]


def flat_start(
    map_chunks: MapChunks, iterations: int, num_phones: int, map_some: MapChunks | None = None
) -> tuple[FlatModel, list[float]]:
    """The model after `iterations` alignments, and the log-likelihood a frame (nats) that each of them found.

    Of so many phones, with silence. `map_some` maps over fewer chunks: enough for the rough models before LDA. The
    figures before and after LDA are of different spaces. ValueError if nothing can be aligned.
    """
    map_some = map_some or map_chunks
    lda_at = min(max(round(LDA_AT * iterations), 1), iterations - 1) if iterations > 1 else 1
    double_at: list[int] = []
    progress = Progress("flat start", iterations + 1, "iterations")
    model = FlatModel(estimate(reduce(add, map_some(equal_moments, STATES_PER_PHONE * num_phones))))
    progress.advance()
    curve = []
    for iteration in range(1, iterations + 1):
        step = _discriminate if iteration == lda_at else _estimate
        model, fit = step(map_chunks if iteration >= lda_at else map_some, model)
        if fit.frames == 0:
            raise ValueError(
                "no labeled utterance can be aligned with its text; check that texts and audio belong together"
            )
        if iteration == lda_at:
            double_at = doubling_iterations(fit.frames, iterations, model.num_states)
        if lda_at < iteration < iterations:
            for _ in range(double_at.count(iteration)):
                model = replace(model, mixtures=split(model.mixtures))
        curve.append(fit.per_frame)
        progress.advance(note=f"{fit.per_frame:.2f} nats a frame")
    return model, curve


def doubling_iterations(frames: int, iterations: int, num_states: int) -> list[int]:
    """After which of the iterations components are doubled, for a model that is estimated from `frames` frames."""
    most = int(np.log2(max(frames / (num_states * FRAMES_A_COMPONENT), 1)))
    shares = np.linspace(FIRST_DOUBLING, LAST_DOUBLING, min(most, MOST_DOUBLINGS))
    return [round(share * iterations) for share in shares.tolist()]


def _estimate(map_chunks: MapChunks, model: FlatModel) -> tuple[FlatModel, Fit]:
    fits, sums = zip(*map_chunks(moments, model), strict=True)
    fit = reduce(add, fits)
    return (replace(model, mixtures=estimate(reduce(add, sums))) if fit.frames else model), fit


def _discriminate(map_chunks: MapChunks, model: FlatModel) -> tuple[FlatModel, Fit]:
    """`model` in the space of LDA over its states; there the covariance within a state is one on average."""
    fits, scatters = zip(*map_chunks(scatter, model), strict=True)
    fit, total = reduce(add, fits), reduce(add, scatters)
    if not fit.frames:
        return model, fit
    transform = lda(total, LDA_DIMENSIONS)
    means = _class_means(total) @ transform
    ones = np.ones_like(means)[:, None]
    return FlatModel(Mixtures(ones[:, :, 0], means[:, None], ones), transform), fit


def _class_means(total: Scatter) -> np.ndarray:
    """Means [S, D]; a state without frames gets the mean of all frames."""
    overall = total.total.sum(0) / total.count.sum()
    seen = total.count[:, None] > 0
    return np.where(seen, total.total / np.maximum(total.count, 1)[:, None], overall)
