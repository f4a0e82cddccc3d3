"""Linear discriminant analysis from sums, so that many machines can process the frames chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

Floats = npt.NDArray[np.float64]

_RIDGE = 1e-4  # of the mean variance, added to the within-class covariance: silent bands make it singular


@dataclass(frozen=True)
class Scatter:
    """`count` [C] and `total` [C, D] of the frames of each class, `square` [D, D] the sum of all outer products."""

    count: Floats
    total: Floats
    square: Floats

    def __add__(self, other: Scatter) -> Scatter:
        return Scatter(self.count + other.count, self.total + other.total, self.square + other.square)


def class_totals(
    frames: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], classes: int
) -> tuple[Floats, Floats]:
    """Count [C] and sum [C, D] of `frames` [N, D] by label; float64, added in the frames' order."""
    count = np.bincount(labels, minlength=classes).astype(np.float64)
    total = np.zeros((classes, frames.shape[1]))
    order = np.argsort(labels, kind="stable")
    seen, first = np.unique(labels[order], return_index=True)
    if len(seen):
        total[seen] = np.add.reduceat(frames[order].astype(np.float64), first, axis=0)
    return count, total


def class_scatter(frames: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], classes: int) -> Scatter:
    """Scatter of `frames` [N, D] with `labels` [N] below `classes`."""
    exact = frames.astype(np.float64)
    return Scatter(*class_totals(frames, labels, classes), exact.T @ exact)


def no_scatter(classes: int, width: int) -> Scatter:
    return Scatter(np.zeros(classes), np.zeros((classes, width)), np.zeros((width, width)))


def lda(scatter: Scatter, dimensions: int) -> Floats:
    """The directions [D, dimensions] that separate classes best; within a class their covariance is one."""
    seen = scatter.count > 0
    count, total = scatter.count[seen], scatter.total[seen]
    frames = count.sum()
    mean = total.sum(0) / frames
    class_means = total / count[:, None]
    covariance = scatter.square / frames - np.outer(mean, mean)
    between = (class_means - mean).T @ ((class_means - mean) * (count / frames)[:, None])
    within = covariance - between
    within += _RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    _, directions = scipy.linalg.eigh(between, within)
    best = directions[:, ::-1][:, :dimensions]
    # An eigenvector's sign is arbitrary; a fixed rule makes results reproducible.
    return best * np.sign(best[np.abs(best).argmax(0), np.arange(best.shape[1])])
