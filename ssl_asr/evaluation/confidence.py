"""From a lattice's posteriors to confidences, and how good these are.

A lattice holds only a part of all paths, and the search treats frames as independent, so its posteriors are too high.
A logistic regression fitted on dev makes confidences of them: the share of words with a confidence of 0.7 that are
right should be 70 % (Evermann and Woodland, "Large vocabulary decoding and confidence estimation using word posterior
probabilities", 2000, use a tree in its place). It takes the word's duration too: on the demo's speech, where
many words are left out, a long word is less often right at the same posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# The fewest dev words of either kind, right and wrong, that a curve is fitted on.
LEAST = 20
_EDGE = 1e-3  # posteriors are kept so far from 0 and 1
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """confidence = 1 / (1 + e^-(intercept + slope logit(posterior) + per_second duration)), duration in seconds."""

    intercept: float = 0.0
    slope: float = 1.0
    per_second: float = 0.0

    def confidences(self, posteriors: Float, durations: Float) -> Float:
        """Of words with these posteriors and durations [words]."""
        found: Float = 1 / (
            1 + np.exp(-(self.intercept + self.slope * _logits(posteriors) + self.per_second * durations))
        )
        return found


def fit_curve(posteriors: Float, durations: Float, right: npt.NDArray[np.bool_]) -> Curve | None:
    """By maximum likelihood; None if there are too few words, or if high posteriors are not right more often."""
    from sklearn.linear_model import LogisticRegression  # takes a second; to apply a curve it is not needed

    if min(right.sum(), (~right).sum()) < LEAST:
        return None
    fitted = LogisticRegression(C=1e6).fit(np.stack([_logits(posteriors), durations], axis=1), right)
    slope, per_second = map(float, fitted.coef_[0])
    return Curve(float(fitted.intercept_[0]), slope, per_second) if slope > 0 else None


def normalised_cross_entropy(confidences: Float, right: npt.NDArray[np.bool_]) -> float | None:
    """NIST's measure: 1 is perfect, 0 as good as always giving the share of right words, below 0 worse than that.

    None if no word, or every word, is right: then nothing is to be known.
    """
    share = right.mean() if len(right) else 0.0
    if share in (0.0, 1.0):
        return None
    least = len(right) * -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    kept = np.clip(confidences, _EDGE, 1 - _EDGE)
    return float((least + np.log2(np.where(right, kept, 1 - kept)).sum()) / least)


def _logits(posteriors: Float) -> Float:
    kept = np.clip(posteriors, _EDGE, 1 - _EDGE)
    found: Float = np.log(kept / (1 - kept))
    return found
