import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.transducer import joint_loss, targets
from ssl_asr.transducer.joiner import Joiner
from ssl_asr.transducer.joint_loss import joint_transducer_loss
from ssl_asr.transducer.loss import transducer_loss
from tests.transducer.grids import COUNTS, FRAMES, at_nodes, by_recursion, gradients, made_up

ENCODER, PREDICTOR, WIDTH, OUTPUTS = 6, 4, 7, 5


def joined(frames=FRAMES, counts=COUNTS, seed=0, padding=0.0, dtype=torch.float64):
    """A joiner, its inputs [B, T, E] and [B, U + 1, P], labels and lengths."""
    _, labels, lengths, label_counts = made_up(frames, counts, OUTPUTS, seed)
    generator = torch.Generator().manual_seed(seed)
    joiner = Joiner(ENCODER, PREDICTOR, WIDTH, OUTPUTS).to(dtype)
    for each in joiner.parameters():
        each.data = torch.randn(each.shape, generator=generator, dtype=torch.float64).to(dtype)
    encoded = torch.randn(len(frames), max(frames) + 1, ENCODER, generator=generator, dtype=torch.float64)
    predicted = torch.randn(len(frames), labels.shape[1] + 1, PREDICTOR, generator=generator, dtype=torch.float64)
    for row, (length, count) in enumerate(zip(frames, counts, strict=True)):
        encoded[row, length:], predicted[row, count + 1 :] = padding, padding
    inputs = encoded.to(dtype).requires_grad_(), predicted.to(dtype).requires_grad_()
    return joiner, *inputs, labels, lengths, label_counts


def both(batch, **settings):
    """Losses and gradients of the batch and of all logits at once, by inputs and weights."""
    joiner, encoded, predicted, *texts = batch
    leaves = [encoded, predicted, *joiner.parameters()]
    losses = joint_transducer_loss(*batch, **settings)
    wanted = transducer_loss(joiner(encoded, predicted), *texts, **settings)
    return (losses, *gradients(losses, leaves)), (wanted, *gradients(wanted, leaves))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 4)), min_size=1, max_size=4),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.01]),
)
def test_it_is_the_loss_of_all_logits(lengths, seed, fast_emit):
    found, wanted = both(joined(*zip(*lengths, strict=True), seed), fast_emit=fast_emit)
    torch.testing.assert_close(found, wanted, atol=1e-11, rtol=1e-11)


def test_slices_of_any_size_give_the_same(monkeypatch):
    batch = joined((20, 9), (5, 7))
    _, wanted = both(batch)
    for size in (1, 64, 1000):
        monkeypatch.setattr(targets, "_SLICE", size)
        torch.testing.assert_close(both(batch)[0], wanted, atol=1e-11, rtol=1e-11)


def test_a_bias_is_heard():
    batch = joined()
    bias = torch.zeros(len(FRAMES), max(FRAMES) + 1, batch[3].shape[1])
    bias[0, 2:, 0], bias[3, :, 0] = -2.0, -torch.inf
    found, wanted = both(batch, label_bias_btu=bias)
    torch.testing.assert_close(found, wanted, atol=1e-11, rtol=1e-11)
    assert torch.isposinf(found[0]).tolist() == [False, False, False, True, False]
    assert all(each.isfinite().all() for each in found[1:])


@pytest.mark.parametrize("padding", [torch.nan, torch.inf])
def test_padding_changes_nothing(padding):
    plain, strange = joined(), joined(padding=padding)
    results = []
    for joiner, encoded, predicted, *texts in (plain, strange):
        losses = joint_transducer_loss(joiner, encoded, predicted, *texts)
        results.append((losses, *gradients(losses, [encoded, predicted, *joiner.parameters()])))
    torch.testing.assert_close(results[1], results[0], atol=0, rtol=0)


@pytest.mark.parametrize("size", [1.0, 8.0, 43.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tanh_is_torchs_however_large_the_projections_are(size, dtype):
    """Also where a projection is almost as far above zero as the other is below; float32 sums lose digits there."""
    torch.manual_seed(0)
    encoded, predicted = size * (2 * torch.rand(1, 6, 7, dtype=dtype) - 1), size * torch.rand(1, 3, 7, dtype=dtype)
    encoded[0, 2], encoded[0, 3] = -predicted[0, 1], (0.25 - predicted[0, 1]).clamp(max=43)
    encoded[0, 4], encoded[0, 5] = 1000.0, -1000.0 if size < 43 else -42.0
    inputs = joint_loss._Inputs.of(encoded, predicted, torch.zeros(4, 7, dtype=dtype), torch.zeros(4, dtype=dtype))
    found = inputs.hidden_part((0, slice(0, 6), slice(0, 3)))
    wanted = torch.tanh(encoded[0, :, None] + predicted[0, None])
    torch.testing.assert_close(found, wanted, rtol=0, atol=4e-6 if dtype == torch.float32 else 1e-14)


def learned():
    """A joiner that puts out blank in all frames but those that say the next label, and such frames."""
    frames, count = 60, 8
    labels = torch.arange(1, count + 1)
    encoded, predicted = torch.zeros(1, frames, count + 1), torch.zeros(1, count + 1, count + 1)
    encoded[0, 6 * labels, labels] = 1.0
    predicted[0, labels - 1, labels] = 1.0
    joiner = Joiner(count + 1, count + 1, count + 1, count + 1)
    for projection in (joiner.encoder_projection, joiner.predictor_projection):
        projection.weight.data = 2 * torch.eye(count + 1)
    joiner.encoder_projection.bias.data.fill_(-3.0)
    joiner.output.weight.data = 20 * torch.eye(count + 1)
    joiner.output.bias.data.fill_(-11.0)
    joiner.output.bias.data[0] = 0.0
    return joiner, encoded, predicted, labels[None], torch.tensor([frames]), torch.tensor([count])


def test_nodes_that_no_alignment_passes_are_left_out_and_nothing_is_lost(monkeypatch):
    counted = []

    def counting(*occupancies):
        found = targets.passed_nodes(*occupancies)
        counted.append(len(found) / occupancies[0].numel())
        return found

    monkeypatch.setattr(joint_loss, "passed_nodes", counting)
    joiner, encoded, predicted, *texts = learned()
    leaves = [encoded.requires_grad_(), predicted.requires_grad_(), *joiner.parameters()]
    losses = joint_transducer_loss(joiner, encoded, predicted, *texts)
    found = gradients(losses, leaves)
    assert 0 < counted[0] < 0.5
    joiner.double()
    leaves = [encoded.detach().double().requires_grad_(), predicted.detach().double().requires_grad_()]
    blanks, nexts = at_nodes(joiner(*leaves), texts[0])
    wanted = by_recursion(blanks, nexts, *texts[1:])
    torch.testing.assert_close(losses.double(), wanted, rtol=0, atol=2e-5)  # of sums of numbers near 1, in float32
    for each, exact in zip(found, gradients(wanted, [*leaves, *joiner.parameters()]), strict=True):
        assert (each - exact).norm() <= 5e-3 * exact.norm()


def test_under_autocast_it_is_close_to_float32():
    batch = joined((30, 12), (6, 9), dtype=torch.float32)
    leaves = [*batch[1:3], *batch[0].parameters()]
    wanted = joint_transducer_loss(*batch)
    with torch.autocast("cpu", torch.bfloat16):
        losses = joint_transducer_loss(*batch)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, wanted, rtol=0.02, atol=0)
    for found, exact in zip(gradients(losses, leaves), gradients(wanted, leaves), strict=True):
        assert found.dtype == torch.float32
        assert (found - exact).norm() <= 0.05 * exact.norm()


def test_weights_that_are_frozen_stay_so():
    joiner, encoded, predicted, *texts = joined()
    joiner.requires_grad_(False)
    losses = joint_transducer_loss(joiner, encoded, predicted, *texts)
    assert all(each.isfinite().all() for each in gradients(losses, [encoded, predicted]))
    with torch.no_grad():
        assert not joint_transducer_loss(joiner, encoded, predicted, *texts).requires_grad
