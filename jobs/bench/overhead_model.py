"""Predicts many workers by formula, from bytes and shares measured with two workers.

    efficiency(N) = T / (T + T x s(N) + 8 x b(N) / rate)

T is a minibatch's forward and backward pass on a stated GPU: 6 x weights x frames / (its useful FLOP/s). b(N) is what
a worker sends: 2 (N - 1) / N times the payload of an all-reduce in a ring, N - 1 times that of an all-gather. s(N) is
the share of a step that the strategy computes besides, as measured here on a CPU: GPUs have as much more memory
bandwidth as arithmetic, so the share is taken over. Nothing is sent while a worker trains.
"""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.planning.blocks import MINIBATCHES
from ssl_asr.planning.compute import TRAIN_FLOPS
from ssl_asr.planning.facts import A10G_GFLOPS, GPU_GFLOPS, PUBLISHED_GFLOPS, Fact
from ssl_asr.recipe import load_recipe
from ssl_asr.training.sync.traffic import all_gather_bytes, all_reduce_bytes

GBITS = (10, 25, 100)
# Published figures: speed-up divided by workers (Parthasarathi et al. 2019, Table I, K80, 25 Gbit/s).
PUBLISHED = {("bmuf", 64): 50.91 / 64, ("gtc", 32): 21.75 / 32, ("gtc", 64): 16.76 / 64}
GPUS = {
    "as published": PUBLISHED_GFLOPS,
    "A10G": GPU_GFLOPS,
    "A10G, no share lost": Fact(A10G_GFLOPS, "published: an A10G's float32 peak, which no training reaches"),
}


@dataclass(frozen=True)
class Measured:
    """Payloads in bytes at two workers; shares of a step's time without communication.

    `bmuf_share` is a block's end over its 100 minibatches, its all-reduce between processes included. `gtc_share` is
    a step's compression with the words of two added up, `gtc_add_share` the words of one more.
    """

    weights: int
    bmuf_block_bytes: float
    gtc_step_bytes: float
    dense_step_bytes: float
    bmuf_share: float
    gtc_share: float
    gtc_add_share: float
    dense_share: float


def step_seconds(measured: Measured, gpu: Fact) -> float:
    """T: one minibatch of the `paper` preset."""
    batching = load_recipe("paper").student.batching
    frames = batching.batch_chunks * batching.chunk_frames
    return TRAIN_FLOPS * measured.weights * frames / (gpu.value * 1e9)


def sent(strategy: str, measured: Measured, workers: int) -> float:
    """b(N), a minibatch's bytes."""
    if strategy == "gtc":
        return all_gather_bytes(workers, measured.gtc_step_bytes)
    if strategy == "dense":
        return all_reduce_bytes(workers, measured.dense_step_bytes)
    return all_reduce_bytes(workers, measured.bmuf_block_bytes) / MINIBATCHES


def share(strategy: str, measured: Measured, workers: int) -> float:
    """s(N)."""
    if strategy == "gtc":
        return measured.gtc_share + (workers - 2) * measured.gtc_add_share
    return {"bmuf": measured.bmuf_share, "dense": measured.dense_share}[strategy]


def modelled(strategy: str, measured: Measured, workers: int, gbit: float, gpu: Fact = GPU_GFLOPS) -> float:
    trained = step_seconds(measured, gpu)
    sending = 8 * sent(strategy, measured, workers) / (gbit * 1e9)
    return trained / (trained * (1 + share(strategy, measured, workers)) + sending)


def gtc_bytes_over_dense(measured: Measured) -> float:
    """At two workers, where either payload is sent once."""
    return sent("gtc", measured, 2) / sent("dense", measured, 2)


def show_model(measured: Measured) -> None:
    print("\nefficiency(N) = T / (T + T s(N) + 8 b(N) / rate), nothing sent while a worker trains")
    for name, gpu in GPUS.items():
        print(f"T {step_seconds(measured, gpu) * 1e3:>6.1f} ms, {name}: {gpu.value:,.0f} GFLOP/s, {gpu.source}")
    print(f"{'':<10}{'N':>4}{'MB a step':>11}{'s(N)':>8}  {'GPU':<21}", end="")
    print("".join(f"{f'{gbit} Gbit/s':>12}" for gbit in GBITS) + f"{'published':>11}")
    for strategy, workers in (("bmuf", 64), ("gtc", 32), ("gtc", 64), ("dense", 32), ("dense", 64)):
        for name, gpu in GPUS.items():
            print(f"{strategy:<10}{workers:>4}{sent(strategy, measured, workers) / 1e6:>11.2f}", end="")
            print(f"{share(strategy, measured, workers):>8.4f}  {name:<21}", end="")
            print("".join(f"{modelled(strategy, measured, workers, gbit, gpu):>12.3f}" for gbit in GBITS), end="")
            known = PUBLISHED.get((strategy, workers))
            print(f"{known:>11.2f}" if known is not None else "")
    print("published: speed-up over workers on K80 at 25 Gbit/s (Parthasarathi et al. 2019)\n")
