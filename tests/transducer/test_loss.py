import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.transducer.loss import transducer_loss
from tests.transducer.grids import COUNTS, FRAMES, at_nodes, by_recursion, enumerated, gradients, made_up


def test_losses_are_those_of_the_alignments_one_by_one():
    logits, labels, frames, counts = made_up()
    found = transducer_loss(logits, labels, frames, counts)
    blanks, nexts = (each.detach() for each in at_nodes(logits, labels))
    for row, (length, count) in enumerate(zip(FRAMES, COUNTS, strict=True)):
        total, _, _ = enumerated(blanks[row], nexts[row], length, count)
        assert found[row].item() == pytest.approx(-total, abs=1e-12)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=3),
    st.integers(2, 4),
    st.integers(0, 1000),
)
def test_losses_and_gradients_are_those_of_autograd(lengths, outputs, seed):
    logits, labels, frames, counts = made_up(*zip(*lengths, strict=True), outputs, seed)
    found = transducer_loss(logits, labels, frames, counts)
    wanted = by_recursion(*at_nodes(logits, labels), frames, counts)
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradients(found, logits), gradients(wanted, logits), atol=1e-10, rtol=0)


def test_the_gradient_is_that_of_finite_differences():
    logits, labels, frames, counts = made_up((3, 2), (2, 1), 3)
    assert torch.autograd.gradcheck(lambda values: transducer_loss(values, labels, frames, counts), logits)


def test_fast_emit_multiplies_the_gradients_by_labels_alone():
    """As defined: the likelihood's gradients by log-probabilities, those of labels times 1.3, through the softmax."""
    logits, labels, frames, counts = made_up()
    blanks, nexts = at_nodes(logits, labels)
    leaves = [each.detach().requires_grad_() for each in (blanks, nexts)]
    of_blanks, of_nexts = gradients(by_recursion(*leaves, frames, counts), leaves)
    (wanted,) = torch.autograd.grad((of_blanks * blanks).sum() + (1.3 * of_nexts * nexts).sum(), logits)
    losses = transducer_loss(logits, labels, frames, counts, fast_emit=0.3)
    torch.testing.assert_close(gradients(losses, logits)[0], wanted, atol=1e-10, rtol=0)
    torch.testing.assert_close(losses, transducer_loss(logits, labels, frames, counts))


def test_a_bias_is_added_to_the_log_probabilities_of_labels():
    logits, labels, frames, counts = made_up()
    generator = torch.Generator().manual_seed(1)
    bias = -3 * torch.rand(*logits.shape[:2], labels.shape[1], generator=generator, dtype=torch.float64)
    blanks, nexts = at_nodes(logits, labels)
    wanted = by_recursion(blanks, nexts + torch.nn.functional.pad(bias, (0, 1)), frames, counts)
    found = transducer_loss(logits, labels, frames, counts, label_bias_btu=bias)
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradients(found, logits), gradients(wanted, logits), atol=1e-10, rtol=0)


def test_what_is_forbidden_moves_to_other_frames_or_has_no_loss():
    logits, labels, frames, counts = made_up((4, 4), (2, 2))
    bias = torch.zeros(*logits.shape[:2], labels.shape[1])
    bias[0, :3, 1] = -torch.inf  # the second label is then in the last frame
    bias[1, :, 1] = -torch.inf
    losses = transducer_loss(logits, labels, frames, counts, label_bias_btu=bias)
    assert losses.isfinite().tolist() == [True, False]
    assert torch.isposinf(losses[1])
    found = gradients(losses, logits)[0]
    assert found.isfinite().all()
    assert not found[1].any()
    assert found[0, 3, 1, labels[0, 1]] < 0
    assert (found[0, :3, 1, labels[0, 1]] >= 0).all()


@pytest.mark.parametrize("padding", [torch.nan, torch.inf, -torch.inf])
def test_padding_has_no_gradient_and_changes_nothing(padding):
    plain, labels, frames, counts = made_up()
    strange = made_up(padding=padding)[0]
    wanted, found = (transducer_loss(each, labels, frames, counts) for each in (plain, strange))
    assert torch.equal(found, wanted)
    (of_strange,) = gradients(found, strange)
    assert torch.equal(of_strange, gradients(wanted, plain)[0])
    outside = made_up(padding=7.0)[0] == 7.0
    assert outside.any()
    assert not of_strange[outside].any()


def test_no_number_in_logits_is_not_hidden():
    logits, labels, frames, counts = made_up()
    broken = logits.detach().clone()
    broken[0, 1, 1] = torch.nan
    losses = transducer_loss(broken.requires_grad_(), labels, frames, counts)
    assert losses.isnan().tolist() == [True, False, False, False, False]
    (found,) = gradients(losses, broken)
    assert found[0].isnan().any()
    assert found[1:].isfinite().all()


def test_an_utterance_alone_has_the_same_loss_and_gradient():
    logits, labels, frames, counts = made_up((30, 12, 21), (6, 9, 0), 20)
    losses = transducer_loss(logits, labels, frames, counts)
    (together,) = torch.autograd.grad(losses.sum(), logits)
    for row, (length, count) in enumerate(zip(frames.tolist(), counts.tolist(), strict=True)):
        one = logits[row : row + 1, :length, : count + 1].detach().requires_grad_()
        alone = transducer_loss(one, labels[row : row + 1, :count], frames[row : row + 1], counts[row : row + 1])
        (found,) = torch.autograd.grad(alone.sum(), one)
        assert alone[0].item() == pytest.approx(losses[row].item(), abs=1e-12)
        torch.testing.assert_close(found[0], together[row, :length, : count + 1], atol=1e-14, rtol=0)


def test_gradients_sum_to_zero_over_outputs():
    logits, labels, frames, counts = made_up((30, 12), (6, 9), 20)
    single = logits.detach().float().requires_grad_()
    (found,) = gradients(transducer_loss(single, labels, frames, counts, fast_emit=0.01), single)
    torch.testing.assert_close(found.sum(3), torch.zeros_like(found[..., 0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_that_of_its_logits_alone(dtype):
    logits, labels, frames, counts = made_up((60, 35), (12, 8), 40)
    half = logits.detach().to(dtype).requires_grad_()
    same = half.detach().double().requires_grad_()
    losses, wanted = (transducer_loss(each, labels, frames, counts) for each in (half, same))
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, wanted.float(), rtol=1e-6, atol=0)
    found, exact = gradients(losses, half)[0], gradients(wanted, same)[0]
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-6)


def test_logits_may_lie_in_memory_in_any_order():
    logits, labels, frames, counts = made_up()
    turned = logits.detach().transpose(1, 3).contiguous().transpose(1, 3).requires_grad_()
    wanted, found = (transducer_loss(each, labels, frames, counts) for each in (logits, turned))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradients(found, turned), gradients(wanted, logits))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (1, 0, "labels must be from 1 to 4: 0 is blank, and the joiner has 5 outputs"),
        (1, 5, "labels must be from 1 to 4"),
        (2, 0, "no frame"),
        (2, 7, "more than the batch's 6"),
        (3, 5, "more than the batch's 4"),
        (3, -1, "less than no label"),
    ],
)
def test_what_is_out_of_range_is_told(place, value, said):
    batch = list(made_up())
    batch[place] = batch[place].clone()
    batch[place].view(-1)[0] = value
    with pytest.raises(ValueError, match=said):
        transducer_loss(*batch)
