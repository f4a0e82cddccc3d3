"""Bytes on the wire, against rings walked step by step, and the time that is left for training."""

from __future__ import annotations

import pytest

from ssl_asr.planning.network import (
    all_gather_bytes,
    all_reduce_bytes,
    block_steps,
    minibatch_bytes,
    minibatches_of,
    sync_bytes,
    traffic,
    worker_counts,
)
from ssl_asr.planning.speech import TrainingSpeech
from ssl_asr.recipe import Batching, Optimiser, Sync

SGD = Optimiser(name="sgd", momentum=0.0)


def walk_all_reduce(workers: int, payload: float) -> float:
    """Bytes that worker 0 sends: one piece a step, first while sums are formed, then while they go round."""
    piece = payload / workers
    return sum(piece for _ in range(workers - 1)) + sum(piece for _ in range(workers - 1))


def walk_all_gather(workers: int, payload: float) -> float:
    """Bytes that worker 0 sends: its own message, then what it was just sent, until all have all."""
    have = [{worker} for worker in range(workers)]
    last, sent = list(range(workers)), 0.0
    while any(len(messages) < workers for messages in have):
        sent += payload
        last = [last[worker - 1] for worker in range(workers)]
        for worker in range(workers):
            have[worker].add(last[worker])
    return sent


@pytest.mark.parametrize("workers", [1, 2, 3, 64])
def test_rings(workers):
    assert all_reduce_bytes(workers, 100.0) == pytest.approx(walk_all_reduce(workers, 100.0))
    assert all_gather_bytes(workers, 100.0) == pytest.approx(walk_all_gather(workers, 100.0))


def test_what_a_block_s_sync_carries():
    adam, momentum = Optimiser(name="adam"), Optimiser(name="sgd", momentum=0.9)
    assert sync_bytes(10, SGD, Sync()) == 40
    assert sync_bytes(10, SGD, Sync(wire="bfloat16")) == 20
    assert sync_bytes(10, momentum, Sync()) == 80
    assert sync_bytes(10, adam, Sync(optimiser_state="correct", wire="bfloat16")) == 100
    assert sync_bytes(10, adam, Sync(optimiser_state="reset")) == 40


def test_a_minibatch_by_strategy():
    """24.3 M parameters, 64 workers: 191 MB dense, of BMUF a hundredth, of GTC 63 messages of 0.2 % of 97 MB."""
    asked = (24_300_000, SGD, Sync(), 64, 100.0)
    dense, bmuf, gtc = (minibatch_bytes(strategy, *asked) for strategy in ("dense", "bmuf", "gtc"))
    assert dense == pytest.approx(191.4e6, rel=1e-3)
    assert bmuf == pytest.approx(dense / 100)
    assert gtc == pytest.approx(63 * 0.002 * 97.2e6)


def test_gtc_stops_paying_where_it_was_seen_to():
    """Its bytes grow with N, dense ones hardly: they meet where (N - 1) share = 2 (N - 1) / N, at N = 2 / share."""
    gtc, dense = (minibatch_bytes(strategy, 1000, SGD, Sync(), 1000, 1.0) for strategy in ("gtc", "dense"))
    assert gtc == pytest.approx(dense)


def test_efficiency_is_training_over_training_and_sending():
    steps = block_steps(Batching(batch_chunks=128, chunk_frames=32), slab_minutes=8, slabs=25)
    assert steps.frames == 4096
    assert steps.minibatches == pytest.approx(25 * 8 * 2000 / 4096)
    sent = traffic("dense", 1_000_000, SGD, Sync(), 2, steps, frame_seconds=1e-6, gbit=1.0)
    assert sent.bytes_a_minibatch == 4e6
    assert sent.efficiency == pytest.approx(4.096e-3 / (4.096e-3 + 32e-3))


def test_minibatches_of_a_training():
    batching = Batching(batch_chunks=10, chunk_frames=120, batch_frames=600)
    assert minibatches_of(TrainingSpeech(chunked=2.0, whole=1.0), batching, workers=4) == (2 * 100 + 200) / 4


def test_workers_of_the_table():
    assert worker_counts(64) == [2, 4, 8, 16, 32, 64]
    assert worker_counts(6) == [2, 4, 6]
    assert worker_counts(1) == [2]
