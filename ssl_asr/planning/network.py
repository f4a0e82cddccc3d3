"""How much data workers send to each other, and the share of the time that remains for training."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.planning.compute import FRAMES_AN_HOUR
from ssl_asr.planning.speech import TrainingSpeech
from ssl_asr.recipe import Batching, Optimiser, Sync
from ssl_asr.training.sync.traffic import all_gather_bytes, all_reduce_bytes

STRATEGIES = ("bmuf", "gtc", "dense")
WORD_BYTES = 4


@dataclass(frozen=True)
class Steps:
    """One worker's steps between two syncs of BMUF: `minibatches`, each of `frames` 30 ms frames."""

    minibatches: float
    frames: float


@dataclass(frozen=True)
class Traffic:
    """Bytes that one worker sends for each minibatch, and the share of its time in which it trains."""

    strategy: str
    workers: int
    bytes_a_minibatch: float
    efficiency: float


def block_steps(batching: Batching, slab_minutes: float, slabs: int) -> Steps:
    """The steps of a block of `slabs` slabs, cut into chunks."""
    minibatch = batching.batch_chunks * batching.chunk_frames
    return Steps(slabs * slab_minutes / 60 * FRAMES_AN_HOUR / minibatch, minibatch)


def sync_bytes(parameters: int, optimiser: Optimiser, sync: Sync) -> float:
    """Bytes that BMUF averages at a block's end: the model in the type of `sync.wire`, moments in float32."""
    kept = 0 if sync.optimiser_state == "reset" else moments(optimiser)
    return parameters * ({"float32": 4, "bfloat16": 2}[sync.wire] + 4 * kept)


def moments(optimiser: Optimiser) -> int:
    """Number of values that the optimiser keeps for each parameter."""
    return 2 if optimiser.name == "adam" else int(optimiser.momentum > 0)


def minibatch_bytes(
    strategy: str, parameters: int, optimiser: Optimiser, sync: Sync, workers: int, minibatches: float
) -> float:
    """Bytes that a worker sends for a minibatch; BMUF's bytes are spread over the `minibatches` of its block."""
    if strategy == "dense":
        return all_reduce_bytes(workers, 4 * parameters)
    if strategy == "gtc":
        share = 0.002 if sync.gtc_share is None else sync.gtc_share  # null: the recipe's default is assumed
        return all_gather_bytes(workers, WORD_BYTES * share * parameters)
    return all_reduce_bytes(workers, sync_bytes(parameters, optimiser, sync)) / minibatches


def traffic(
    strategy: str,
    parameters: int,
    optimiser: Optimiser,
    sync: Sync,
    workers: int,
    steps: Steps,
    frame_seconds: float,
    gbit: float,
) -> Traffic:
    """Nothing is sent while a worker trains: efficiency = training / (training + sending)."""
    sent = minibatch_bytes(strategy, parameters, optimiser, sync, workers, steps.minibatches)
    trained, sending = steps.frames * frame_seconds, sent * 8 / (gbit * 1e9)
    return Traffic(strategy, workers, sent, trained / (trained + sending))


def minibatches_of(trained_on: TrainingSpeech, batching: Batching, workers: int) -> float:
    """Number of minibatches of one worker in a whole training."""
    chunked = trained_on.chunked / (batching.batch_chunks * batching.chunk_frames)
    return (chunked + trained_on.whole / batching.batch_frames) * FRAMES_AN_HOUR / workers


def worker_counts(most: int) -> list[int]:
    """2, 4, 8, ... and the maximum."""
    powers = [2**power for power in range(1, 20) if 2**power < most]
    return [*powers, max(most, 2)]
