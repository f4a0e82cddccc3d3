"""Gaussian mixtures with diagonal covariances, one mixture a state, with equally many components each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.lda import class_totals

Floats = npt.NDArray[np.floating]

VARIANCE_FLOOR = 0.05  # of the variance of all frames: a state with few frames must not collapse onto a point
STATE_FRAMES = 20.0  # frames of the overall distribution added to each state's
COMPONENT_FRAMES = 5.0  # frames of its state's distribution added to each component's


@dataclass(frozen=True)
class SufficientStatistics:
    """Sums over the frames of each component: `count` [S, M], `total` and `square` [S, M, D], float64."""

    count: Floats
    total: Floats
    square: Floats

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        return SufficientStatistics(self.count + other.count, self.total + other.total, self.square + other.square)


@dataclass(frozen=True)
class Mixtures:
    """`weights` [S, M], `means` and `variances` [S, M, D] of S states, M components, D dimensions; float64."""

    weights: Floats
    means: Floats
    variances: Floats

    @property
    def components(self) -> int:
        return self.weights.shape[1]

    def component_log_likelihoods(self, frames: Floats, states: npt.NDArray[np.integer]) -> Floats:
        """log w p(x) float32 [T, M, states] of `frames` [T, D]: one product, linear in x and x squared."""
        means, variances = self.means[states].swapaxes(0, 1), self.variances[states].swapaxes(0, 1)
        constant = np.log(self.weights[states].T) - 0.5 * (
            np.log(2 * np.pi * variances).sum(2) + (means**2 / variances).sum(2)
        )
        width = frames.shape[1]
        linear = np.concatenate([means / variances, -0.5 / variances], axis=2).reshape(-1, 2 * width)
        scores = np.hstack([frames, frames**2]) @ linear.T.astype(np.float32)
        scores += constant.reshape(-1).astype(np.float32)
        return scores.reshape(len(frames), self.components, -1)

    def log_likelihoods(self, frames: Floats, states: npt.NDArray[np.integer]) -> Floats:
        """log p(x) float32 [T, states]."""
        scores = self.component_log_likelihoods(frames, states)
        best = scores.max(axis=1)
        if self.components == 1:
            return best
        scores -= best[:, None]
        return best + np.log(np.exp(scores, out=scores).sum(axis=1))

    def moments(self, frames: Floats, labels: npt.NDArray[np.integer]) -> SufficientStatistics:
        """Statistics of `frames` [T, D] of states `labels` [T], shared among components by their posteriors."""
        sums = no_moments(*self.means.shape)
        order = np.argsort(labels, kind="stable")
        seen, first = np.unique(labels[order], return_index=True)
        for state, rows in zip(seen, np.split(order, first[1:]), strict=True):
            own = frames[rows].astype(np.float64)
            scores = self.component_log_likelihoods(frames[rows], np.array([state]))[:, :, 0].astype(np.float64)
            posterior = np.exp(scores - scores.max(axis=1, keepdims=True))
            posterior /= posterior.sum(axis=1, keepdims=True)
            sums.count[state] = posterior.sum(0)
            sums.total[state] = posterior.T @ own
            sums.square[state] = posterior.T @ own**2
        return sums


def single_moments(frames: Floats, labels: npt.NDArray[np.integer], states: int) -> SufficientStatistics:
    """Statistics of one component a state of `frames` [T, D] of states `labels` [T]."""
    count, total = class_totals(frames, labels, states)
    _, square = class_totals(frames.astype(np.float64) ** 2, labels, states)
    return SufficientStatistics(count[:, None], total[:, None], square[:, None])


def no_moments(states: int, components: int, width: int) -> SufficientStatistics:
    shape = (states, components, width)
    return SufficientStatistics(np.zeros(shape[:2]), np.zeros(shape), np.zeros(shape))


def estimate(sums: SufficientStatistics) -> Mixtures:
    """Maximum likelihood mixtures, smoothed: a component towards its state, a state towards all frames."""
    overall = _mean_and_square(sums.count.sum(), sums.total.sum((0, 1)), sums.square.sum((0, 1)))
    state = _smooth(sums.count.sum(1), sums.total.sum(1), sums.square.sum(1), STATE_FRAMES, overall)
    means, squares = _smooth(
        sums.count, sums.total, sums.square, COMPONENT_FRAMES, (state[0][:, None], state[1][:, None])
    )
    floor = VARIANCE_FLOOR * (overall[1] - overall[0] ** 2)
    weights = sums.count + COMPONENT_FRAMES
    return Mixtures(weights / weights.sum(1, keepdims=True), means, np.maximum(squares - means**2, floor))


def split(mixtures: Mixtures, distance: float = 0.2) -> Mixtures:
    """Twice the components: two copies of each, moved up and down by a share of its standard deviation."""
    step = distance * np.sqrt(mixtures.variances)
    return Mixtures(
        np.concatenate([mixtures.weights / 2, mixtures.weights / 2], axis=1),
        np.concatenate([mixtures.means + step, mixtures.means - step], axis=1),
        np.concatenate([mixtures.variances, mixtures.variances], axis=1),
    )


def _mean_and_square(count: Floats, total: Floats, square: Floats) -> tuple[Floats, Floats]:
    return total / count, square / count


def _smooth(
    count: Floats, total: Floats, square: Floats, frames: float, towards: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Means of x and of x squared with `frames` additional frames from the distribution `towards`."""
    weight = (count + frames)[..., None]
    return (total + frames * towards[0]) / weight, (square + frames * towards[1]) / weight
