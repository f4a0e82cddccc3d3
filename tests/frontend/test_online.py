"""The online front end against the features in the shards, with the audio cut in all ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.frontend.extract import Extractor
from ssl_asr.frontend.lfbe import OnlineLfbe, lfbe
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.stacking import stack
from ssl_asr.recipe import Frontend
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.frontend.test_lfbe import NARROW, speechlike

AUDIO = speechlike(NARROW, 3)
AUDIO[9000:14_000] = 0  # digital silence
CUTS = st.lists(st.integers(0, len(AUDIO)), max_size=30).map(sorted)


def speaker(frontend: Frontend = NARROW) -> SpeakerState:
    return SpeakerState(np.full(64, 9.0), 12.0, frontend)


def pieces(audio: np.ndarray, cuts: list[int]) -> list[np.ndarray]:
    return np.split(audio, cuts)


def online(audio: np.ndarray, cuts: list[int], state: SpeakerState, frontend: Frontend = NARROW) -> np.ndarray:
    front = OnlineFrontend(frontend, state)
    return np.concatenate([*(front.accept(piece) for piece in pieces(audio, cuts)), front.finish()])


@settings(max_examples=40, deadline=None)
@given(cuts=CUTS)
def test_cutting_the_audio_changes_no_bit(cuts):
    bank = OnlineLfbe(NARROW)
    found = np.concatenate([*(bank.accept(piece) for piece in pieces(AUDIO, cuts)), bank.finish()])
    np.testing.assert_array_equal(found, lfbe(AUDIO, NARROW))
    np.testing.assert_array_equal(online(AUDIO, cuts, speaker()), online(AUDIO, [], speaker()))


@pytest.mark.parametrize("samples", [0, 1, 80, 199, 200, 281, 480])
def test_short_audio_gives_few_frames_or_none(samples):
    found = online(AUDIO[:samples], [], speaker())
    assert found.shape == ((0 if samples < 200 else (samples + 40) // 80 // 3), 192)


def test_frames_come_as_soon_as_their_windows_are_complete():
    front = OnlineFrontend(NARROW, speaker())
    # The third 10 ms frame is centred at 25 ms, so its window ends at 37.5 ms.
    assert len(front.accept(AUDIO[:299])) == 0
    assert len(front.accept(AUDIO[299:300])) == 1


def test_it_makes_the_features_of_the_shards(feature_run):
    """All utterances of a shard's speakers, one after another as the front end heard them, bit for bit."""
    shard, run = Shard("dev", 0), feature_run.run
    said = [each for slab in ShardStore(run, utterance.STORE).read_slabs(shard) for each in utterance.decode(slab)]
    stored = {
        row.id: row.frames
        for slab in ShardStore(run, features.STORE).read_slabs(shard)
        for row in features.decode(slab, 64)
    }
    prior, extractor = read_prior(run), Extractor(feature_run, "dev")
    states: dict[tuple[str, str], SpeakerState] = {}
    for each in sorted(said, key=lambda each: each.order):
        state = states.setdefault(
            (each.speaker, each.condition), SpeakerState(prior.array(), prior.level, feature_run.frontend)
        )
        audio = extractor.waveform(each)
        cuts = np.arange(700, len(audio), 811).tolist()
        found = online(audio, cuts, state, feature_run.frontend)
        np.testing.assert_array_equal(found, stack(stored[each.id]).astype(np.float32))
    assert len(stored) > 10
