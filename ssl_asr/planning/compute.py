"""What a frame costs: the networks' multiplications, and the seconds that a GPU or a CPU core takes for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_cells, count_parameters
from ssl_asr.models.multiply_adds import multiply_adds
from ssl_asr.models.separator import Separator
from ssl_asr.planning.facts import (
    BFLOAT16_GAIN,
    CORE_CELL_SECONDS,
    CORE_GFLOPS,
    CORE_LABELLING_SHARE,
    GPU_GFLOPS,
    Fact,
)
from ssl_asr.planning.question import Question
from ssl_asr.recipe import NetworkSection, Recipe, Transducer
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.transducer.model import TransducerSpec

FRAMES_AN_HOUR = 3600 / FRAME_SECONDS  # of 30 ms
TRAIN_FLOPS, INFER_FLOPS = 6, 2  # a multiply-add: forwards 2; backwards 4, towards inputs and towards weights


@dataclass(frozen=True)
class NetworkSize:
    """`multiply_adds` of one frame; `parameters` of the whole network; `cells` of its LSTM layers, all directions."""

    multiply_adds: int
    parameters: int
    cells: int
    inputs: int


@dataclass(frozen=True)
class Devices:
    """The devices that train and label: numbers of GPUs or CPU cores, and the GFLOP/s of a GPU."""

    kind: Literal["GPU", "core"]
    trainers: int
    labellers: int
    gflops: Fact


@dataclass(frozen=True)
class Rates:
    """Seconds of one device for one 30 ms frame."""

    teacher: Fact
    baseline: Fact
    student: Fact
    topline: Fact
    labelling: Fact
    aligning: Fact  # by the network alone


def teacher_network(recipe: Recipe) -> NetworkSize:
    return _network_size(recipe, recipe.teacher.network)


def student_network(recipe: Recipe) -> NetworkSize:
    return _network_size(recipe, recipe.student.network)


def _network_size(recipe: Recipe, network: NetworkSection) -> NetworkSize:
    inputs = recipe.frontend.mel_bins * STACK
    with torch.device("meta"):  # shapes without memory
        model = AcousticModel(ModelSpec(network, inputs, recipe.hmm.senones))
    return NetworkSize(multiply_adds(model), count_parameters(model), count_cells(model), inputs)


def transducer_network(recipe: Recipe, settings: Transducer) -> NetworkSize:
    """Its multiply-adds are those of a frame: the encoder's, and the joiner's for one label position a channel."""
    inputs = recipe.frontend.mel_bins * STACK
    spec = TransducerSpec(settings.network, settings.predictor, settings.joiner, inputs, settings.word_pieces)
    with torch.device("meta"):  # shapes without memory
        model = spec.build()
    encoder = model.encoder
    joined = encoder.width * settings.joiner + settings.joiner * settings.word_pieces
    cells, channels = count_cells(encoder), 1
    if isinstance(encoder, Separator):
        channels = encoder.section.channels
        cells += (channels - 1) * count_cells(encoder.recogniser)  # which all channels share
    multiply_adds = encoder.multiply_adds_per_frame + channels * joined
    return NetworkSize(multiply_adds, count_parameters(model), cells, inputs)


def devices_of(recipe: Recipe, question: Question) -> Devices:
    if question.gpus is not None or recipe.cluster.use_gpu:
        count = question.gpus or recipe.cluster.train_workers[1]
        gflops = GPU_GFLOPS if question.gflops is None else Fact(question.gflops, "given on the command line")
        return Devices("GPU", count, count, gflops)
    return Devices("core", recipe.cluster.train_workers[1], recipe.cluster.label_actors[1], CORE_GFLOPS)


def training_seconds(network: NetworkSize, devices: Devices) -> Fact:
    """Seconds of one device for one 30 ms frame, forward and backward pass."""
    flops = TRAIN_FLOPS * network.multiply_adds
    if devices.kind == "GPU":
        how = f"6 x {network.multiply_adds / 1e6:.2f} M multiply-adds / {devices.gflops.value:,.0f} GFLOP/s"
        return Fact(flops / (devices.gflops.value * 1e9), f"{how}, {devices.gflops.source}")
    seconds = flops / (CORE_GFLOPS.value * 1e9) + network.cells * CORE_CELL_SECONDS.value
    how = f"6 x {network.multiply_adds / 1e6:.2f} M multiply-adds / {CORE_GFLOPS.value:g} GFLOP/s"
    cells = f"{network.cells} LSTM cells x {CORE_CELL_SECONDS.value * 1e6:.3g} us"
    return Fact(seconds, f"{how} + {cells}, {CORE_GFLOPS.source}; {CORE_CELL_SECONDS.source}")


def labelling_seconds(network: NetworkSize, devices: Devices, precision: str) -> Fact:
    """Seconds of one device for the teacher's posteriors of one 30 ms frame."""
    flops, products = INFER_FLOPS * network.multiply_adds, f"2 x {network.multiply_adds / 1e6:.2f} M multiply-adds"
    if devices.kind == "GPU":
        gain = BFLOAT16_GAIN.value if precision == "bfloat16" else 1.0
        more = f", x {gain:g} for bfloat16, {BFLOAT16_GAIN.source}" if gain != 1 else ""
        how = f"{products} / {devices.gflops.value * gain:,.0f} GFLOP/s, {devices.gflops.source}{more}"
        return Fact(flops / (devices.gflops.value * gain * 1e9), how)
    rate = CORE_GFLOPS.value * CORE_LABELLING_SHARE.value
    return Fact(flops / (rate * 1e9), f"{products} / {rate:.3g} GFLOP/s, {CORE_LABELLING_SHARE.source}")
