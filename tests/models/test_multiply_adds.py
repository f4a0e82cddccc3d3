"""Multiply-adds by formula against torch's counter, which counts a product as two operations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.conv_rnnt import ConvRnnt
from ssl_asr.models.encoder import build_encoder
from ssl_asr.models.multiply_adds import multiply_adds
from ssl_asr.recipe import BlstmNetwork, ConvRnntNetwork, LstmNetwork, NetworkSection, ProjectedLstmNetwork

BATCH, FRAMES, INPUTS = 2, 7, 6


def counted(run: Callable[[], object]) -> int:
    """By torch, in operations."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    found: int = counter.get_total_flops()
    return found


def test_convolutions_and_linear_layers_are_counted_as_torch_does() -> None:
    section = ConvRnntNetwork(
        layers=1, units=5, projection=4, width=4, local_channels=(3, 2), local_kernel=3, global_blocks=3
    )
    encoder = ConvRnnt(section, INPUTS)
    frames, lengths = torch.randn(BATCH, FRAMES, INPUTS), torch.tensor([FRAMES] * BATCH)
    hidden, _ = encoder.local_cnn(frames, lengths)
    for part, given in ((encoder.local_cnn, frames), (encoder.global_cnn, hidden)):
        found = counted(lambda part=part, given=given: part(given, lengths))
        assert found == 2 * BATCH * FRAMES * multiply_adds(part)
    begin = encoder.local_cnn.initial_state(1)
    one = counted(lambda: encoder.local_cnn(frames[:1, :1], torch.tensor([1]), begin))
    assert one == 2 * multiply_adds(encoder.local_cnn)  # one frame of a stream costs no more than one of a whole


@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (3, 1), (2, 2)])
def test_an_lstm_is_counted_as_its_cells(layers: int, directions: int) -> None:
    """torch counts none for an LSTM on a CPU, but it does count a cell."""
    units, widths = 5, [INPUTS, *[5 * directions] * (layers - 1)]
    lstm = nn.LSTM(INPUTS, units, layers, bidirectional=directions == 2)
    cells = [nn.LSTMCell(width, units) for width in widths]
    one_way = sum(counted(lambda cell=cell: cell(torch.randn(1, cell.input_size))) for cell in cells)
    assert 2 * multiply_adds(lstm) == directions * one_way > 0


@pytest.mark.parametrize(
    ("section", "millions"),
    [
        (LstmNetwork(), 4 * 768 * (192 + 768) + 4 * 4 * 768 * 2 * 768),
        (BlstmNetwork(), 2 * 4 * 768 * (192 + 768) + 4 * 2 * 4 * 768 * 3 * 768),
        (ProjectedLstmNetwork(layers=6), 4 * 640 * (192 + 640) + 5 * 4 * 640 * (512 + 640) + 6 * 640 * 512),
    ],
)
def test_recurrent_networks_by_hand(section: NetworkSection, millions: int) -> None:
    with torch.device("meta"):
        assert build_encoder(section, 192).multiply_adds_per_frame == millions


def test_the_local_network_costs_five_times_the_rest() -> None:
    """98.9 M in its convolutions and 2.4 M in its linear layer, against 18.8 M of the LSTM layers."""
    with torch.device("meta"):
        encoder = ConvRnnt(ConvRnntNetwork(), 192)
        model = AcousticModel(ModelSpec(ConvRnntNetwork(), 192, 3183))
    convolutions = 192 * 25 * (100 + 100 * 100 + 100 * 64 + 64 * 64)
    assert multiply_adds(encoder.local_cnn) == convolutions + 64 * 192 * 192 == 101_220_096
    assert multiply_adds(encoder.recurrent) == 18_841_600
    assert multiply_adds(model) == encoder.multiply_adds_per_frame + 512 * 3183
    rest = encoder.multiply_adds_per_frame - multiply_adds(encoder.local_cnn)
    assert 4.5 < multiply_adds(encoder.local_cnn) / rest < 5


def test_a_layer_without_a_formula_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"no formula for the multiplications of a Conv2d; .*multiply_adds_per_frame"
    ):
        multiply_adds(nn.Sequential(nn.Linear(3, 2), nn.Conv2d(1, 1, 3)))
