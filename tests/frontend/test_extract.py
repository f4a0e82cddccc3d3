"""From audio to features: the prior, what is stored, degraded copies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus import audio_files
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.audio_files import UnreachableAudio
from ssl_asr.corpus.augment.speed import fits, recording_places
from ssl_asr.frontend.extract import Extractor
from ssl_asr.frontend.lfbe import NO_SIGNAL, lfbe
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.streams import raise_floors
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.retry import without_retries
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.frontend.conftest import some_utterances


def test_the_prior_is_the_level_and_the_plain_mean_of_the_first_labeled_shard(feature_run: Recipe) -> None:
    manifest = ShardStore(feature_run.run, utterance.STORE)
    extractor = Extractor(feature_run, "labeled")
    rows = [item for slab in manifest.read_slabs(Shard("labeled", 0)) for item in utterance.decode(slab)]
    extracted, _ = extractor.all_frames(rows)
    everything = np.concatenate([item.frames for item in extracted]).astype(np.float64)
    prior = read_prior(feature_run.run)
    assert prior.frames == len(everything)
    assert prior.level == pytest.approx(np.log(np.exp(everything[everything.max(axis=1) > NO_SIGNAL]).mean()))
    floored = raise_floors(extracted, prior.level, feature_run.frontend)
    mean = np.concatenate([item.frames for item in floored]).astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(prior.array(), mean, rtol=1e-9)


def test_stored_features_are_lfbe_above_the_floor_less_the_mean_of_the_speaker_so_far(feature_run: Recipe) -> None:
    """The first utterance of a speaker's clean stream, by hand."""
    frontend, shard = feature_run.frontend, Shard("unlabeled", 0)
    manifest = ShardStore(feature_run.run, utterance.STORE)
    rows = [item for slab in manifest.read_slabs(shard) for item in utterance.decode(slab)]
    clean = [item for item in rows if item.condition == utterance.CLEAN]
    first = min((item for item in clean if item.speaker == clean[0].speaker), key=lambda item: item.order)
    waveform = read_audio(first.audio, first.offset, first.duration, first.channel, frontend.sample_rate)
    loudness, prior = lfbe(waveform, frontend).astype(np.float64), read_prior(feature_run.run)
    counts = np.arange(1, len(loudness) + 1)
    # So short a stream has hardly begun to forget: the plain mean of the powers so far, and of the energies so far
    # with a prior of one second.
    power = np.where(loudness.max(axis=1) > NO_SIGNAL, np.exp(loudness).mean(axis=1), 0.0)
    heard = (power > 0).cumsum()
    level = np.where(heard > 0, np.log(np.maximum(power.cumsum(), 1e-9) / np.maximum(heard, 1)), prior.level)
    loudness = np.logaddexp(loudness, level[:, None] - frontend.energy_range_nats)
    expected = loudness - (100 * prior.array() + np.cumsum(loudness, axis=0)) / (100 + counts[:, None])
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


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_copy_at_another_speed_says_the_same_at_the_same_place(corpus_run: Recipe, factor: float) -> None:
    """Its frames are most like the recording's where the times of the labels say, and not a few frames off."""
    extractor = Extractor(corpus_run, "labeled")
    found = {shift: [] for shift in (-4, -2, 0, 2, 4)}
    for item in some_utterances(corpus_run, "labeled", 5):
        copy = replace(item, id=f"{item.id}@speed-{factor}", condition=f"speed-{factor}")
        clean, changed = extractor.frames(item), extractor.frames(copy)
        assert fits(len(changed), len(clean), factor)
        assert not fits(len(clean), len(clean), factor)
        places = recording_places(len(changed), len(clean), factor)
        # The middle of the range: pitch and formants move energy between neighbouring bins.
        loud, wanted = changed[:, 10:50].mean(axis=1), clean[:, 10:50].mean(axis=1)
        for shift, correlations in found.items():
            moved = wanted[np.clip(places + shift, 0, len(clean) - 1)]
            correlations.append(np.corrcoef(loud, moved)[0, 1])
    mean = {shift: float(np.mean(each)) for shift, each in found.items()}
    assert max(mean, key=mean.get) == 0
    assert mean[0] > 0.95


@pytest.mark.parametrize("level", [0.0, 0.25])
@pytest.mark.parametrize("rate", [8000, 11025])
def test_digital_silence_is_no_speech_to_train_on(
    corpus_run: Recipe, tmp_path: Path, level: float, rate: int
) -> None:
    """As of a channel that was not connected: under noise and at other speeds too. A dev or test set keeps it."""
    (item,) = some_utterances(corpus_run, "labeled", 1)
    soundfile.write(tmp_path / "a.wav", np.full((2 * rate, 2), level), rate, subtype="FLOAT")
    dead = replace(item, audio=str(tmp_path / "a.wav"), offset=0.5, duration=1.25, channel=1)
    for split in ("labeled", "unlabeled"):
        copies = [replace(dead, id=f"dead@{each}", condition=each) for each in ("clean", "babble-10", "speed-0.9")]
        extracted, rejects = Extractor(corpus_run, split).all_frames([item, *copies])
        assert [each.utterance.id for each in extracted] == [item.id]
        assert [each.id for each in rejects] == [each.id for each in copies]
        for each in rejects:
            assert f"{dead.audio}: channel 1 is digital silence from 0.50 s to 1.75 s" in each.reason
    assert len(Extractor(corpus_run, "test").frames(dead)) == 125


def test_while_a_store_does_not_answer_nothing_is_rejected(
    corpus_run: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(audio: str, *, pipes: bool) -> object:
        raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation")

    monkeypatch.setattr(audio_files, "open_place", out)
    utterance = Utterance("a", "s3://bucket/a.flac", "s", 0, 1.0)
    with without_retries(), pytest.raises(UnreachableAudio, match=r"s3://bucket/a\.flac: its store does not answer"):
        Extractor(corpus_run, "unlabeled").all_frames([utterance])
