"""Calibration: whether a teacher with confidence 0.7 is right in 70 % of the frames. Measured on dev speech.

The student learns from posteriors, and selection uses confidence, so both depend on good calibration. Frames are put
in bins by their largest posterior. The expected calibration error is the mean gap between confidence and accuracy
over the bins, weighted by frames (Guo et al., "On calibration of modern neural networks", 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.labelling.top_k import CONFIDENCE_BINS

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """`frames` frames with a confidence from `low` to `high`: mean confidence and accuracy, 0 without frames."""

    low: float
    high: float
    frames: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Table:
    """Sums by confidence bin, float64 [bins] each; the tables of several parts of the speech can be added."""

    frames: Counts
    confidence: Counts
    correct: Counts

    def __add__(self, other: Table) -> Table:
        return Table(self.frames + other.frames, self.confidence + other.confidence, self.correct + other.correct)

    def bins(self) -> list[Bin]:
        edges = np.linspace(0, 1, CONFIDENCE_BINS + 1).round(6).tolist()
        frames = np.maximum(self.frames, 1)
        columns = (self.frames.astype(int), self.confidence / frames, self.correct / frames)
        return [Bin(*row) for row in zip(edges, edges[1:], *(each.tolist() for each in columns), strict=False)]

    @property
    def mean_confidence(self) -> float:
        return float(self.confidence.sum() / max(self.frames.sum(), 1))

    @property
    def accuracy(self) -> float:
        return float(self.correct.sum() / max(self.frames.sum(), 1))

    @property
    def expected_error(self) -> float:
        """|confidence - accuracy|, mean over all frames by their bin."""
        return float(np.abs(self.confidence - self.correct).sum() / max(self.frames.sum(), 1))


def empty_table() -> Table:
    return Table(*np.zeros((3, CONFIDENCE_BINS)))


def table_of(confidence: npt.NDArray[np.floating], accuracy: npt.NDArray, frames: npt.NDArray[np.integer]) -> Table:
    """Each argument [n]: a confidence in 0 to 1, the accuracy, and the number of frames that they stand for."""
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    count, sure, correct = (
        np.bincount(bins, each, CONFIDENCE_BINS).astype(np.float64)
        for each in (frames, confidence * frames, accuracy * frames)
    )
    return Table(count, sure, correct)


def calibrate(log_probs_ts: npt.NDArray[np.floating], labels_t: npt.NDArray[np.integer]) -> tuple[Table, Table]:
    """Two tables of one utterance with at least one frame: by frame, and by utterance.

    The confidence of an utterance is the mean over its frames, as in every row of targets.
    """
    confidence_t = np.exp(log_probs_ts.max(axis=1).astype(np.float64))
    correct_t = log_probs_ts.argmax(axis=1) == labels_t
    whole = np.array([confidence_t.mean()]), np.array([correct_t.mean()]), np.array([len(labels_t)])
    return table_of(confidence_t, correct_t, np.ones(len(labels_t), np.int64)), table_of(*whole)
