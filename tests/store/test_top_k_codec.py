"""The top-k codec: bounded error, nothing invented, and figures against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.store.top_k_codec import RANGE_NATS, Encoded, TopKCodec, added_kl, decode, encode

FRAMES, K = 400, 20
GENERATOR = np.random.default_rng(0)
SENONES = np.stack([GENERATOR.permutation(65536)[:K] for _ in range(FRAMES)]).astype(np.uint16)
LOG_PROBS = -np.sort(-GENERATOR.normal(0, 2.5, (FRAMES, K)).astype(np.float32), axis=1)


def normalised(log_probs: np.ndarray) -> np.ndarray:
    exact = log_probs.astype(np.float64)
    return exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("bits", [4, 6, 7, 8])
def test_what_comes_back_is_within_half_a_step_and_its_divergence_within_the_bound(bits: int) -> None:
    codec = TopKCodec(K, bits)
    decoded = decode(encode(SENONES, LOG_PROBS, codec), K, codec.step)
    np.testing.assert_array_equal(decoded.senones, SENONES)
    assert decoded.log_probs.dtype == np.float32
    np.testing.assert_allclose(np.exp(decoded.log_probs).sum(axis=1), 1, rtol=1e-5)
    gaps = decoded.log_probs - decoded.log_probs[:, :1] - (LOG_PROBS - LOG_PROBS[:, :1])
    within = LOG_PROBS[:, :1] - LOG_PROBS < RANGE_NATS
    assert np.abs(gaps[within]).max() <= codec.step / 2 + 1e-5
    wanted = normalised(LOG_PROBS)
    plain = (np.exp(wanted) * (wanted - decoded.log_probs)).sum(axis=1)
    np.testing.assert_allclose(added_kl(SENONES, LOG_PROBS, decoded), plain, atol=1e-6)
    assert plain.max() <= codec.step**2 / 8 + 1e-6
    assert plain.mean() <= codec.step**2 / 24


def test_a_mass_floor_drops_the_smallest_entries_and_no_more_than_its_share() -> None:
    codec = TopKCodec(K, 8, mass_floor=0.01)
    encoded = encode(SENONES, LOG_PROBS, codec)
    assert 1 <= encoded.kept.min() < encoded.kept.max() <= K
    assert len(encoded.senones) == len(encoded.rises) == encoded.kept.sum() < FRAMES * K
    decoded = decode(encoded, K, codec.step)
    wanted = np.exp(normalised(LOG_PROBS))
    for frame in range(FRAMES):
        kept = int(encoded.kept[frame])
        assert wanted[frame, :kept].sum() >= 0.99 - 1e-6
        assert kept == 1 or wanted[frame, : kept - 1].sum() < 0.99 + 1e-6
        np.testing.assert_array_equal(decoded.senones[frame, :kept], SENONES[frame, :kept])
        assert (decoded.senones[frame, kept:] == 0).all()
        assert np.isneginf(decoded.log_probs[frame, kept:]).all()
    assert added_kl(SENONES, LOG_PROBS, decoded).max() <= -np.log(0.99) + codec.step**2 / 8 + 1e-6


def test_a_constant_added_to_a_frame_changes_nothing() -> None:
    codec = TopKCodec(K, 8, 0.001)
    one, other = encode(SENONES, LOG_PROBS, codec), encode(SENONES, LOG_PROBS + np.float32(8), codec)
    np.testing.assert_array_equal(one.rises, other.rises)


def test_a_certain_frame_keeps_what_is_far_down_at_the_end_of_the_range() -> None:
    certain = np.full((1, K), -1000, np.float32)
    certain[0, 0] = 0
    decoded = decode(encode(SENONES[:1], certain, TopKCodec(K)), K, TopKCodec(K).step)
    assert np.exp(decoded.log_probs[0, 0]) > 0.99999
    assert np.isfinite(decoded.log_probs).all()
    assert encode(SENONES[:1], certain, TopKCodec(K, mass_floor=1e-6)).kept.tolist() == [1]


def test_no_frames() -> None:
    nothing = encode(np.zeros((0, K), np.uint16), np.zeros((0, K), np.float32), TopKCodec(K))
    assert decode(nothing, K, 0.1).log_probs.shape == (0, K)


@pytest.mark.parametrize(("kept", "senones"), [([2, 1], 2), ([2, 1], 4), ([K + 1], K + 1), ([0, 1], 1)])
def test_arrays_that_contradict_each_other_are_refused(kept: list[int], senones: int) -> None:
    torn = Encoded(np.array(kept, np.uint16), np.zeros(senones, np.uint16), np.zeros(senones, np.uint8))
    with pytest.raises(ValueError, match="entries of 1 to 20 a frame"):
        decode(torn, K, 0.1)
