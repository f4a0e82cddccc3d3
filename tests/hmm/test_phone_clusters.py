"""Questions that are found in a model."""

from __future__ import annotations

import numpy as np

from ssl_asr.hmm.flat_model import FlatModel
from ssl_asr.hmm.mixtures import Mixtures
from ssl_asr.hmm.phone_clusters import clustered_questions
from ssl_asr.lang.phones import PhoneSet

# Where the phones lie, in the plane. Silence beside "b" is in no class.
PLACES = {"SIL": (5.1, 0.0), "a": (0.0, 0.0), "b": (5.0, 0.0), "c": (0.0, 1.0), "d": (5.0, 1.5), "e": (0.0, 4.0)}


def test_phones_that_sound_alike_are_a_class() -> None:
    generator = np.random.default_rng(0)
    phones = PhoneSet(tuple(PLACES))
    states = np.repeat(np.array(list(PLACES.values())), 3, axis=0)
    weights = generator.dirichlet([1, 1], len(states))
    apart = generator.normal(size=states.shape)
    # Two components whose weighted mean is the place.
    means = np.stack([states + apart * weights[:, 1:], states - apart * weights[:, :1]], axis=1)
    found = clustered_questions(FlatModel(Mixtures(weights, means, np.ones_like(means))), phones)
    assert [set(each) for each in found] == [{"a", "c"}, {"b", "d"}, {"a", "c", "e"}]


def test_one_spoken_phone_makes_no_class() -> None:
    model = FlatModel(Mixtures(np.ones((6, 1)), np.zeros((6, 1, 2)), np.ones((6, 1, 2))))
    assert clustered_questions(model, PhoneSet.of(["a"])) == []
