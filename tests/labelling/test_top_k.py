"""The k largest posteriors and the figures of what is kept, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssl_asr.labelling.top_k import KeptMass, Meters, no_frames, top_k

LOGITS = torch.from_numpy((np.random.default_rng(0).standard_normal((17, 50)) * 4).astype(np.float32))
LOG_PROBS = LOGITS.log_softmax(dim=1)


def posteriors() -> np.ndarray:
    exact = LOGITS.numpy().astype(np.float64)
    odds = np.exp(exact - exact.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 5, 50])
def test_the_largest_come_first_with_their_senones(k: int) -> None:
    labels, _ = top_k(LOG_PROBS, k)
    order = np.argsort(-LOGITS.numpy(), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(labels.senones, order)
    expected = np.take_along_axis(posteriors(), order, 1)
    np.testing.assert_allclose(np.exp(labels.log_probs), expected, rtol=1e-4)
    assert labels.confidence == pytest.approx(expected[:, 0].mean(), rel=1e-5)


@pytest.mark.parametrize("k", [1, 5, 50])
def test_mass_and_entropy_are_those_of_the_whole_posterior(k: int) -> None:
    _, kept = top_k(LOG_PROBS, k)
    p = posteriors()
    assert kept.frames == 17
    assert kept.means()["kept_mass"] == pytest.approx(np.sort(p, axis=1)[:, -k:].sum(axis=1).mean(), rel=1e-5)
    assert kept.means()["entropy_nats"] == pytest.approx(-(p * np.log(p)).sum(axis=1).mean(), rel=1e-5)


@pytest.mark.parametrize("k", [1, 5, 49])
def test_the_tail_is_an_entry_in_its_place(k: int) -> None:
    labels, kept = top_k(LOG_PROBS, k, tail=True)
    rest = np.sort(posteriors(), axis=1)[:, :-k].sum(axis=1)
    assert labels.log_tail is not None
    np.testing.assert_allclose(np.exp(labels.log_tail), rest, rtol=1e-4)
    stored = labels.with_tail(50)
    assert stored.senones.shape == stored.log_probs.shape == (17, k + 1)
    assert (np.diff(stored.log_probs, axis=1) <= 0).all()
    np.testing.assert_allclose(np.exp(stored.log_probs).sum(axis=1), 1, rtol=1e-5)
    is_tail = stored.senones == 50
    np.testing.assert_array_equal(stored.log_probs[is_tail], labels.log_tail)
    np.testing.assert_array_equal(stored.senones[~is_tail].reshape(17, k), labels.senones)
    without, same = top_k(LOG_PROBS, k)
    assert without.log_tail is None
    assert same == kept
    np.testing.assert_array_equal(without.log_probs, labels.log_probs)


def test_figures_add_up_over_utterances() -> None:
    whole = top_k(LOG_PROBS, 5)[1]
    parts = top_k(LOG_PROBS[:3], 5)[1] + top_k(LOG_PROBS[3:], 5)[1]
    assert parts.means() == pytest.approx(whole.means())


def test_a_certain_teacher_has_no_entropy_and_no_nan() -> None:
    certain = torch.zeros(2, 9)
    certain[:, 4] = 1000.0
    _, kept = top_k(certain.log_softmax(dim=1), 3)
    assert kept.means() == {"kept_mass": 1.0, "entropy_nats": 0.0}


def test_no_frames_have_a_shape_and_no_figures() -> None:
    assert no_frames(20).log_probs.shape == no_frames(20).senones.shape == (0, 20)
    assert no_frames(20).confidence == 0.0
    assert KeptMass().means() == {"kept_mass": 0.0, "entropy_nats": 0.0}


def test_meters_are_kept_whole_by_condition_and_by_confidence() -> None:
    meters = Meters()
    sure = torch.full((3, 9), -20.0)
    sure[:, 2] = 0.0
    meters.add("clean", *top_k(sure.log_softmax(dim=1), 4))
    meters.add("room", *top_k(torch.zeros(5, 9).log_softmax(dim=1), 4))
    statistics = meters.statistics()
    assert statistics["conditions"]["clean"]["kept_mass"] == pytest.approx(1.0)
    assert statistics["conditions"]["room"]["kept_mass"] == pytest.approx(4 / 9)
    assert statistics["kept_mass"] == pytest.approx((3 + 5 * 4 / 9) / 8)
    assert statistics["confidence_frames"] == [0, 5, 0, 0, 0, 0, 0, 0, 0, 3]
