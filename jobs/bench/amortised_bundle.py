"""What skipping modules of a Transformer saves in a bundle: milliseconds of a processor for a frame, by onnxruntime.

`python -m jobs.bench.amortised_bundle [--seconds N] [--rounds N] [--left-context N] [--block N] [--keep 0.8,0.6,...]`
exports encoders of the published size (Xie et al. 2022) with random weights, without gates and with an arbitrator
whose gates are open for each of these shares of frames, and gives them a stream in blocks as the engine does. Gates
of different modules are independent, and change with every frame, or every ten frames: weights are not read where
a module is off for all frames of a block. The networks take turns block by block. Times are processor times on one
thread: the least over the rounds of every block, added up. One JSON object is the last line: the savings at the rate
that saves most nearly what the paper's best arbitrators do, where gates last ten frames.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from jobs.bench.amortised import INPUTS, PUBLISHED, UNGATED, stream_parser
from ssl_asr.models.transformer.arbitrators import FeedForwardArbitrator
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Gating, TransformerNetwork
from ssl_asr.recipe.predictor import StatelessPredictor
from ssl_asr.serving.description import EncoderShape
from ssl_asr.serving.exporting.transducers.networks import encoder_onnx
from ssl_asr.serving.network import Float32, Network
from ssl_asr.serving.transducers.networks import ENCODED
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.transducer.model import TransducerModel, TransducerSpec

JOINER = 128
LASTING = 10  # frames


@dataclass(frozen=True, eq=False)
class Exported:
    """An encoder by torch and by onnxruntime."""

    encoder: Transformer
    network: Network


def main() -> None:
    parser = stream_parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--block", type=int, default=3, metavar="FRAMES", help="of a pass (default: 3, as the engine)"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    count = round(options.seconds / FRAME_SECONDS)
    networks = {UNGATED: exported(None, options.left_context)}
    networks |= {each: exported(float(each), options.left_context) for each in options.keep.split(",")}
    chance, found = np.random.default_rng(0), {}
    print(f"{'gates last':>12}{'open':>10}{'ms a frame':>12}{'FLOPs saved %':>15}{'seconds saved %':>17}")
    for lasting in (1, LASTING):
        drawn = chance.normal(size=(-(-count // lasting), INPUTS)).astype(np.float32)
        frames = np.repeat(drawn, lasting, 0)[:count]
        seconds = stream_seconds(networks, frames, options.block, options.rounds)
        for name, each in networks.items():
            flops, saved = flops_saved(each.encoder, frames), 1 - seconds[name] / seconds[UNGATED]
            found[lasting, name] = {"flops_saved": round(flops, 3), "seconds_saved": round(saved, 3)}
            milliseconds = 1000 * seconds[name] / count
            print(f"{lasting:>12}{name:>10}{milliseconds:>12.2f}{100 * flops:>15.1f}{100 * saved:>17.1f}")
    print(json.dumps(min((found[LASTING, name] for name in networks), key=_from_published)))


def exported(keep_rate: float | None, left_context: int) -> Exported:
    """With the same weights for every rate, but for the biases that open so many gates of normal frames."""
    torch.manual_seed(0)
    gating = None if keep_rate is None else Gating(arbitrator="ff", levels="single", feed_forward=True)
    network = TransformerNetwork(left_context=left_context, dropout=0.0, gating=gating)
    model = TransducerModel(TransducerSpec(network, StatelessPredictor(units=8), JOINER, INPUTS, 30)).eval()
    encoder = model.encoder
    assert isinstance(encoder, Transformer)
    for arbitrator in encoder.arbitrators:
        assert isinstance(arbitrator, FeedForwardArbitrator)
        assert keep_rate is not None
        _open(arbitrator, keep_rate)
    shape = EncoderShape(inputs=INPUTS, look_ahead=network.look_ahead, kind=network.kind, joiner=JOINER)
    return Exported(encoder, Network(encoder_onnx(model), shape, "encoder.onnx", output=ENCODED))


@torch.no_grad()
def _open(arbitrator: FeedForwardArbitrator, keep_rate: float) -> None:
    torch.nn.init.normal_(arbitrator.decide.weight)
    weighted = torch.nn.functional.linear(arbitrator.body(torch.randn(4000, INPUTS)), arbitrator.decide.weight)
    arbitrator.decide.bias.copy_(-weighted.quantile(1 - keep_rate, dim=0))


def stream_seconds(networks: Mapping[str, Exported], frames: Float32, block: int, rounds: int) -> dict[str, float]:
    """Of the whole stream by each; the first block is not counted but taken as the mean of the others."""
    blocks = [frames[begin : begin + block] for begin in range(0, len(frames), block)]
    spent = {name: np.empty((rounds, len(blocks))) for name in networks}
    for turn in range(rounds):
        states = {name: each.network.initial_state() for name, each in networks.items()}
        for place, inputs in enumerate(blocks):
            for name, each in networks.items():
                began = time.process_time()
                _, states[name] = each.network.run(inputs, states[name])
                spent[name][turn, place] = time.process_time() - began
    return {name: float(each.min(0)[1:].mean() * len(blocks)) for name, each in spent.items()}


@torch.inference_mode()
def flops_saved(encoder: Transformer, frames: Float32) -> float:
    """A share of the FLOPs of the same stream without gates."""
    if not encoder.arbitrators:
        return 0.0
    ran = encoder.computed(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))
    return 1 - float(ran.flops / ran.ungated_flops)


def _from_published(saved: Mapping[str, float]) -> float:
    return abs(saved["flops_saved"] - PUBLISHED)


if __name__ == "__main__":
    main()
