"""What the causal encoders cost: parameters, multiply-adds a frame, and processor time, live and in batches.

`python -m jobs.bench.encoders [--rounds N]` runs each kind of network that can stream, with random weights, on one
core: at the sizes of the preset `demo`, and at the published ones. "live" is one stream in chunks of three frames
(90 ms), "batch" 8 utterances of 100 frames (3 s); both are seconds of the processor for a second of audio (real-time
factor), the median of the rounds. "GFLOP/s" is what the batch makes of the core, two operations a multiply-add. Then
one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from jobs.bench.rounds import median_seconds
from ssl_asr.models.acoustic import count_parameters
from ssl_asr.models.encoder import Encoder, build_encoder
from ssl_asr.recipe import ConvRnntNetwork, LstmNetwork, NetworkSection, ProjectedLstmNetwork
from ssl_asr.store.targets import FRAME_SECONDS

INPUTS = 192
CHUNK, STREAM_FRAMES = 3, 99
BATCH, BATCH_FRAMES = 8, 100
NETWORKS: dict[str, NetworkSection] = {
    "lstm, demo": LstmNetwork(layers=2, units=192),
    "projected-lstm, demo": ProjectedLstmNetwork(layers=2, units=192, projection=128),
    "conv-rnnt, demo": ConvRnntNetwork(layers=2, units=192, projection=128, width=96, local_channels=(16, 16, 8, 8)),
    "lstm, published": LstmNetwork(),
    "projected-lstm, published": ProjectedLstmNetwork(),
    "conv-rnnt, published": ConvRnntNetwork(),
}


@dataclass(frozen=True)
class Cost:
    """Times are seconds of the processor for a second of audio."""

    parameters: int
    multiply_adds: int
    live: float
    batch: float

    @property
    def gflops(self) -> float:
        """Of the batch."""
        return 2 * self.multiply_adds / FRAME_SECONDS / self.batch / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each network (default: 5)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoders = {name: build_encoder(section, INPUTS).eval() for name, section in NETWORKS.items()}
    costs = measure(encoders, rounds)
    print(f"{'encoder':<26}{'M parameters':>14}{'M multiply-adds':>17}{'live':>9}{'batch':>9}{'GFLOP/s':>9}")
    for name, cost in costs.items():
        sizes = f"{cost.parameters / 1e6:>14.2f}{cost.multiply_adds / 1e6:>17.1f}"
        print(f"{name:<26}{sizes}{cost.live:>9.4f}{cost.batch:>9.4f}{cost.gflops:>9.1f}")
    print(json.dumps({name: {**asdict(cost), "gflops": round(cost.gflops, 1)} for name, cost in costs.items()}))


def measure(encoders: dict[str, Encoder[Any]], rounds: int) -> dict[str, Cost]:
    """By name."""
    stream, batch = torch.randn(1, STREAM_FRAMES, INPUTS), torch.randn(BATCH, BATCH_FRAMES, INPUTS)
    work: dict[str, Callable[[], None]] = {}
    for name, encoder in encoders.items():
        work[f"{name} live"] = partial(live, encoder, stream)
        work[f"{name} batch"] = partial(whole, encoder, batch)
    with torch.inference_mode():
        seconds = median_seconds(work, rounds)
    return {
        name: Cost(
            count_parameters(encoder),
            encoder.multiply_adds_per_frame,
            round(seconds[f"{name} live"] / (STREAM_FRAMES * FRAME_SECONDS), 5),
            round(seconds[f"{name} batch"] / (BATCH * BATCH_FRAMES * FRAME_SECONDS), 5),
        )
        for name, encoder in encoders.items()
    }


def live(encoder: Encoder[Any], stream_1td: torch.Tensor) -> None:
    """In chunks, with the state carried."""
    state, lengths = encoder.initial_state(1), torch.tensor([CHUNK])
    for chunk in stream_1td.split(CHUNK, 1):
        _, after = encoder(chunk, lengths, state)
        assert after is not None, "a state was given"
        state = after


def whole(encoder: Encoder[Any], frames_btd: torch.Tensor) -> None:
    encoder(frames_btd, torch.full((len(frames_btd),), frames_btd.shape[1]))


if __name__ == "__main__":
    main()
