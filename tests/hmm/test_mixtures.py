from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from ssl_asr.hmm.lda import class_scatter, lda
from ssl_asr.hmm.mixtures import Mixtures, estimate, no_moments, single_moments, split


@pytest.fixture
def frames() -> np.ndarray:
    """4,000 points of two states; the second has two clusters."""
    random = np.random.default_rng(0)
    first = random.normal([0, 5], 1, (2000, 2))
    second = np.concatenate([random.normal([-6, 0], 1, (1000, 2)), random.normal([6, 0], 1, (1000, 2))])
    return np.concatenate([first, second]).astype(np.float32)


LABELS = np.repeat([0, 1], 2000)


def fitted(frames: np.ndarray, doublings: int) -> Mixtures:
    mixtures = estimate(single_moments(frames, LABELS, 2))
    for _ in range(doublings):
        mixtures = split(mixtures, distance=1.0)
        for _ in range(8):
            mixtures = estimate(mixtures.moments(frames, LABELS))
    return mixtures


def test_log_likelihood_is_that_of_the_normal_mixture(frames):
    mixtures = fitted(frames, 1)
    density = sum(
        mixtures.weights[1, component]
        * norm.pdf(frames, mixtures.means[1, component], np.sqrt(mixtures.variances[1, component])).prod(1)
        for component in range(2)
    )
    np.testing.assert_allclose(mixtures.log_likelihoods(frames, np.array([1]))[:, 0], np.log(density), atol=2e-3)


def test_components_find_the_clusters_of_a_state(frames):
    means = np.sort(fitted(frames, 1).means[1, :, 0])
    np.testing.assert_allclose(means, [-6, 6], atol=0.2)


def test_splitting_and_estimating_raises_the_likelihood(frames):
    def likelihood(mixtures: Mixtures) -> float:
        return mixtures.log_likelihoods(frames, np.array([0, 1]))[np.arange(4000), LABELS].mean()

    assert likelihood(fitted(frames, 1)) > likelihood(fitted(frames, 0)) + 0.3
    assert split(fitted(frames, 1)).components == 4


def test_moments_of_chunks_add_up_to_those_of_all(frames):
    mixtures = fitted(frames, 1)
    parts = [mixtures.moments(frames[rows], LABELS[rows]) for rows in (slice(0, 1500), slice(1500, 4000))]
    whole = mixtures.moments(frames, LABELS)
    for name in ("count", "total", "square"):
        np.testing.assert_allclose(getattr(parts[0] + parts[1], name), getattr(whole, name), rtol=1e-6)
    assert whole.count.sum(1) == pytest.approx([2000, 2000])


def test_a_state_without_frames_is_like_all_frames(frames):
    mixtures = estimate(single_moments(frames, LABELS, 3))
    np.testing.assert_allclose(mixtures.means[2, 0], frames.mean(0), atol=1e-4)
    assert np.isfinite(mixtures.log_likelihoods(frames, np.array([2]))).all()


def test_adding_nothing_changes_nothing(frames):
    sums = single_moments(frames, LABELS, 2)
    np.testing.assert_array_equal((sums + no_moments(2, 1, 2)).total, sums.total)


def test_lda_finds_the_direction_that_parts_classes_and_whitens_them():
    random = np.random.default_rng(1)
    labels = np.repeat([0, 1], 1000)
    frames = random.normal(0, [1, 10, 3], (2000, 3)) + labels[:, None] * [0, 0, 6]
    half = [class_scatter(frames[rows], labels[rows], 2) for rows in (slice(0, 700), slice(700, 2000))]
    direction = lda(half[0] + half[1], 1)
    projected = frames @ direction
    assert abs(direction[2, 0]) > 5 * abs(direction[0, 0])
    assert np.mean([projected[labels == label].var() for label in (0, 1)]) == pytest.approx(1, abs=0.01)
