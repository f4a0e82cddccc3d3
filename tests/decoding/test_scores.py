import numpy as np
import torch

from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import LstmNetwork


def test_scores_are_scaled_log_likelihood_ratios():
    posteriors = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
    priors = np.log(np.array([0.25, 0.25, 0.5], np.float32))
    scores = acoustic_scores(posteriors, priors, Scales(0.5))
    np.testing.assert_allclose(scores, 0.5 * np.log([[2, 1, 0.5]]), atol=1e-6)
    assert scores.dtype == np.float32
    assert np.array_equal(scores, np.float32(0.5) * (posteriors - priors))  # bit for bit, so that old results hold


def test_a_scaled_prior_takes_back_less_of_it():
    posteriors = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
    priors = np.log(np.array([0.25, 0.25, 0.5], np.float32))
    np.testing.assert_allclose(acoustic_scores(posteriors, priors, Scales(2.0, 0.0)), 2 * posteriors, atol=1e-6)
    half = acoustic_scores(posteriors, priors, Scales(1.0, 0.5))
    np.testing.assert_allclose(half, posteriors - priors / 2, atol=1e-6)


def test_every_utterance_gets_its_own_posteriors_whatever_batch_it_is_in():
    torch.manual_seed(0)
    model = AcousticModel(ModelSpec(LstmNetwork(layers=2, units=8, look_ahead=3), 6, 9)).eval()
    generator = np.random.default_rng(0)
    utterances = [generator.normal(size=(length, 6)).astype(np.float16) for length in (7, 0, 30, 12, 8)]
    alone = dict(log_posteriors(model, utterances, 1))
    together = dict(log_posteriors(model, utterances, 10_000))
    assert sorted(alone) == sorted(together) == [0, 2, 3, 4]
    for index, posteriors in alone.items():
        assert posteriors.shape == (len(utterances[index]), 9)
        np.testing.assert_allclose(np.exp(posteriors).sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(posteriors, together[index], atol=1e-5)
