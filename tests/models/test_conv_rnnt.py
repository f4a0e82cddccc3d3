"""ConvRNN-T's encoder and its baseline's: published sizes, the running mean of hours, and nothing but parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ssl_asr.models.acoustic import count_parameters
from ssl_asr.models.causal import split_state
from ssl_asr.models.causal_layers import SqueezeExcite
from ssl_asr.models.conv_rnnt import ConvRnnt
from ssl_asr.models.encoder import build_encoder
from ssl_asr.models.projected_lstm import ProjectedLstm
from ssl_asr.recipe import ConvRnntNetwork, ProjectedLstmNetwork

SMALL = ConvRnntNetwork(
    layers=1, units=5, projection=4, width=4, local_channels=(3, 2), local_kernel=3, global_blocks=2
)


def published() -> ConvRnnt:
    with torch.device("meta"):
        return ConvRnnt(ConvRnntNetwork(), 192)


NORM = 2 * 192  # those behind the local CNN and before the LSTM layers, and what is direct, are not published
PARTS = {
    "local_cnn": 2_874_716 + NORM,
    "direct": 37_056,
    "global_cnn": 2_446_848,
    "join": 73_920,
    "norm": NORM,
    "recurrent": 18_875_392,
}


def test_each_part_has_the_published_number_of_parameters() -> None:
    """Radfar et al. 2022 give 2.9 M, 2.5 M, 5.40 M for both CNNs, and 18.93 M."""
    encoder = published()
    assert {part: count_parameters(getattr(encoder, part)) for part in PARTS} == PARTS
    assert count_parameters(encoder) == sum(PARTS.values())
    assert PARTS["local_cnn"] / 1e6 == pytest.approx(2.9, rel=0.01)
    assert PARTS["global_cnn"] / 1e6 == pytest.approx(2.5, abs=0.06)
    assert (sum(PARTS.values()) - PARTS["recurrent"]) / 1e6 == pytest.approx(5.40, rel=0.01)
    assert PARTS["recurrent"] / 1e6 == pytest.approx(18.93, rel=0.01)


def test_the_baseline_has_one_more_layer() -> None:
    with torch.device("meta"):
        baseline = ProjectedLstm(ProjectedLstmNetwork(), 192)
    layer = 4 * 640 * (512 + 640) + 8 * 640 + 640 * 512 + 512
    assert count_parameters(baseline) == 18_875_392 + layer
    assert (baseline.width, published().width) == (512, 512)


def test_training_changes_nothing_but_parameters() -> None:
    """What workers average and checkpoints hold is all there is."""
    for section in (SMALL, ProjectedLstmNetwork(layers=1, units=3, projection=2)):
        assert not list(build_encoder(section, 6).buffers())


def test_dropout_works_in_training_alone() -> None:
    encoder = ConvRnnt(SMALL.model_copy(update={"layers": 2, "dropout": 0.5}), 6)
    frames, lengths = torch.randn(2, 9, 6), torch.tensor([9, 9])
    assert not torch.equal(encoder(frames, lengths)[0], encoder(frames, lengths)[0])
    assert torch.equal(encoder.eval()(frames, lengths)[0], encoder(frames, lengths)[0])


@pytest.mark.parametrize("channels", [(8, 8, 4, 4), (100, 100, 64, 64)])
@pytest.mark.parametrize("grown", [1.0, 20.0])
def test_the_local_network_hears_at_one_size_also_once_its_weights_have_grown(
    channels: tuple[int, ...], grown: float
) -> None:
    """Half of what it puts out, or more, is what changes over time."""
    torch.manual_seed(0)
    section = SMALL.model_copy(update={"width": 24, "local_channels": channels, "local_kernel": 5})
    local = ConvRnnt(section, 24).local_cnn
    with torch.no_grad():
        for layer in local.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(grown)
        outputs, _ = local(torch.randn(2, 30, 24), torch.tensor([30, 30]))
    assert 0.5 < float(outputs.std(1).mean()) < 1.5
    assert float(outputs.square().mean().sqrt()) < 1.5


def test_what_changes_over_time_reaches_the_lstm_layers_even_if_the_local_network_is_stuck() -> None:
    """In training all its maps may put out a constant."""
    torch.manual_seed(0)
    encoder = ConvRnnt(SMALL.model_copy(update={"width": 24}), 24)
    heard: list[torch.Tensor] = []
    encoder.recurrent.register_forward_pre_hook(lambda module, given: heard.append(given[0]))
    with torch.no_grad():
        for layer in encoder.local_cnn.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                layer.bias.add_(1000.0)
        encoder(torch.randn(2, 30, 24), torch.tensor([30, 30]))
    assert float(heard[0].std(1).mean()) > 0.3
    assert float(heard[0].square().mean().sqrt()) < 1.5


def test_the_gates_are_those_of_the_mean_so_far() -> None:
    torch.manual_seed(0)
    layer, frames = SqueezeExcite(3), torch.randn(2, 11, 3)
    outputs, _ = layer(frames, torch.tensor([11, 11]))
    for end in range(1, 12):
        gates = torch.sigmoid(layer.excite(torch.relu(layer.squeeze(frames[:, :end].mean(1)))))
        torch.testing.assert_close(outputs[:, end - 1], frames[:, end - 1] * gates)


def test_the_mean_of_three_hours_is_exact() -> None:
    """360,000 frames in chunks of 100."""
    torch.manual_seed(1)
    layer, chunks = SqueezeExcite(2), 5 + torch.randn(3600, 1, 100, 2)
    state, lengths = layer.initial_state(1), torch.tensor([100])
    with torch.no_grad():
        for chunk in chunks:
            outputs, after = layer(chunk, lengths, state)
            assert after is not None
            state = after
        mean = chunks.double().flatten(0, 2).mean(0)
        gates = torch.sigmoid(layer.excite(torch.relu(layer.squeeze(mean.float()))))
    sums = state[0][0, 0]
    assert sums[-1] == 360_000
    torch.testing.assert_close(sums[:-1] / sums[-1], mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(outputs[0, -1], chunks[-1, 0, -1] * gates)


def test_the_mean_goes_on_where_float32_no_longer_counts() -> None:
    layer, frames = SqueezeExcite(2), 2**24
    begin = torch.tensor([[[1.0 * frames, 2.0 * frames, frames]]], dtype=torch.float64)
    _, after = layer(torch.full((1, 1, 2), 3.0), torch.tensor([1]), (begin,))
    assert after is not None
    assert after[0].tolist() == [[[frames + 3, 2 * frames + 3, frames + 1]]]


def test_a_state_of_another_network_is_not_taken() -> None:
    encoder = ConvRnnt(SMALL, 6)
    with pytest.raises(AssertionError, match="that of another network"):
        split_state((*encoder.initial_state(1), torch.zeros(1, 1, 1)), encoder.local_cnn, encoder.recurrent)


def test_features_are_padded_on_both_sides_and_time_before_alone() -> None:
    """One convolution of ones counts the values that it sees."""
    section = SMALL.model_copy(update={"local_channels": (1,), "local_kernel": 3})
    convolution = ConvRnnt(section, 4).local_cnn.layers[1]
    inner = convolution.convolution
    assert isinstance(inner, nn.Conv2d)
    with torch.no_grad():
        inner.weight.fill_(1)
        inner.bias.zero_()
        seen, _ = convolution(torch.ones(1, 3, 4, 1), torch.tensor([3]))
    assert seen[0, :, :, 0].tolist() == [[2, 3, 3, 2], [4, 6, 6, 4], [6, 9, 9, 6]]
