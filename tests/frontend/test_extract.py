"""From audio to features: the prior, the streams of speakers, degraded copies."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.corpus.audio import read_audio
from ssl_asr.frontend.extract import ExtractedUtterance, Extractor, subtract_means
from ssl_asr.frontend.lfbe import lfbe
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.running_mean import RunningMean
from ssl_asr.recipe import Frontend, Recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.frontend.conftest import some_utterances

FRONTEND = Frontend(sample_rate=8000, high_hz=3900, mel_bins=3)
PRIOR = np.array([1.0, 2.0, 3.0])


def heard(name: str, speaker: str, order: int, condition: str = "clean") -> ExtractedUtterance:
    frames = np.random.default_rng(order).standard_normal((20 + order, 3)).astype(np.float32)
    return ExtractedUtterance(Utterance(name, "none.wav", speaker, order, 1.0, condition=condition), frames)


def one_stream(*items: ExtractedUtterance) -> list[np.ndarray]:
    stream = RunningMean(PRIOR, 100, 12000)
    return [stream.subtract(item.frames) for item in items]


def test_a_stream_follows_the_speakers_order_whatever_the_order_of_rows() -> None:
    first, second, third = heard("a", "ada", 1), heard("b", "ada", 2), heard("c", "ada", 3)
    means = dict(zip("abc", one_stream(first, second, third), strict=True))
    shuffled = subtract_means([third, first, second], PRIOR, FRONTEND)
    assert [item.utterance.id for item in shuffled] == ["c", "a", "b"]
    for item in shuffled:
        np.testing.assert_array_equal(item.frames, means[item.utterance.id])


def test_speakers_and_conditions_do_not_mix() -> None:
    rows = [heard("a", "ada", 1), heard("b", "bob", 2), heard("c", "ada", 3, "room"), heard("d", "ada", 4)]
    result = {item.utterance.id: item.frames for item in subtract_means(rows, PRIOR, FRONTEND)}
    alone = dict(zip("ad", one_stream(rows[0], rows[3]), strict=True))
    alone |= {"b": one_stream(rows[1])[0], "c": one_stream(rows[2])[0]}
    for name, frames in alone.items():
        np.testing.assert_array_equal(result[name], frames)


def test_a_later_utterance_changes_no_earlier_one() -> None:
    rows = [heard("a", "ada", 1), heard("b", "ada", 2)]
    louder = [rows[0], ExtractedUtterance(rows[1].utterance, rows[1].frames + 50)]
    before, after = subtract_means(rows, PRIOR, FRONTEND), subtract_means(louder, PRIOR, FRONTEND)
    np.testing.assert_array_equal(before[0].frames, after[0].frames)


def test_the_prior_is_the_plain_mean_of_the_first_labeled_shard(feature_run: Recipe) -> None:
    manifest = ShardStore(feature_run.run, utterance.STORE)
    extractor = Extractor(feature_run, "labeled")
    rows = [item for slab in manifest.read_slabs(Shard("labeled", 0)) for item in utterance.decode(slab)]
    everything = np.concatenate([extractor.frames(item) for item in rows]).astype(np.float64)
    prior = read_prior(feature_run.run)
    assert prior.frames == len(everything)
    np.testing.assert_allclose(prior.array(), everything.mean(axis=0), rtol=1e-9)


def test_stored_features_are_lfbe_less_the_mean_of_the_speaker_so_far(feature_run: Recipe) -> None:
    """The first utterance of a speaker's clean stream, by hand."""
    frontend, shard = feature_run.frontend, Shard("unlabeled", 0)
    manifest = ShardStore(feature_run.run, utterance.STORE)
    rows = [item for slab in manifest.read_slabs(shard) for item in utterance.decode(slab)]
    clean = [item for item in rows if item.condition == utterance.CLEAN]
    first = min((item for item in clean if item.speaker == clean[0].speaker), key=lambda item: item.order)
    waveform = read_audio(first.audio, first.offset, first.duration, first.channel, frontend.sample_rate)
    loudness = lfbe(waveform, frontend).astype(np.float64)
    prior = read_prior(feature_run.run).array()
    counts = np.arange(1, len(loudness) + 1)[:, None]
    # So short a stream has hardly begun to forget: the plain cumulative mean with a prior of one second.
    expected = loudness - (100 * prior + np.cumsum(loudness, axis=0)) / (100 + counts)
    store = ShardStore(feature_run.run, features.STORE)
    stored = {row.id: row.frames for slab in store.read_slabs(shard) for row in features.decode(slab, 64)}
    np.testing.assert_allclose(stored[first.id], expected, atol=0.1)
    assert np.abs(stored[first.id] - expected).mean() < 0.02


@pytest.mark.parametrize("condition", ["babble-10", "effects-10", "room"])
def test_a_degraded_copy_is_as_long_as_its_recording_and_not_alike(corpus_run: Recipe, condition: str) -> None:
    extractor = Extractor(corpus_run, "labeled")
    for item in some_utterances(corpus_run, "labeled", 5):
        copy = Utterance(
            f"{item.id}@{condition}", item.audio, item.speaker, item.order, item.duration, item.offset, 0, condition
        )
        clean, degraded = extractor.frames(item), extractor.frames(copy)
        assert clean.shape == degraded.shape
        assert np.abs(clean - degraded).mean() > 0.1
        np.testing.assert_array_equal(degraded, extractor.frames(copy))
