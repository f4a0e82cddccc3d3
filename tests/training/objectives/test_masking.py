"""The masking loss by its formula, and its gradient."""

import pytest
import torch

from ssl_asr.training.objectives.masking import masking_loss


def example(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs of 2 channels of 3 mixtures, and where the channels are inactive."""
    torch.manual_seed(0)
    return torch.randn(2, 3, 5, 4, dtype=dtype), torch.rand(2, 3, 5) < 0.6


def test_by_its_formula():
    hidden, inactive = example()
    found = masking_loss(hidden, inactive, 0.3)
    for number in range(3):
        squares = [
            sum(float(hidden[n, number, t].square().sum()) for t in range(5) if inactive[n, number, t])
            for n in range(2)
        ]
        assert float(found[number]) == pytest.approx(0.3 * (squares[0] ** 0.5 + squares[1] ** 0.5))
    torch.testing.assert_close(masking_loss(2 * hidden, inactive, 0.3), 2 * found)


def test_its_gradient_equals_finite_differences():
    hidden, inactive = example()
    assert torch.autograd.gradcheck(lambda h: masking_loss(h, inactive, 0.3), (hidden.requires_grad_(),))


def test_active_frames_have_no_gradient_and_inactive_ones_shrink():
    hidden, inactive = example()
    (gradient,) = torch.autograd.grad(masking_loss(hidden.requires_grad_(), inactive, 1.0).sum(), hidden)
    assert not gradient[~inactive].any()
    assert bool((gradient[inactive] * hidden[inactive] > 0).all())


@pytest.mark.parametrize(("size", "is_inactive"), [(1, False), (0, True)])
def test_without_an_inactive_frame_or_with_zeros_nothing_is_undefined(size, is_inactive):
    hidden, inactive = example()
    outputs = (size * hidden).requires_grad_()
    loss = masking_loss(outputs, torch.full_like(inactive, is_inactive), 1.0)
    (gradient,) = torch.autograd.grad(loss.sum(), outputs)
    assert not loss.any()
    assert not gradient.any()


def test_half_precision_does_not_overflow():
    hidden, inactive = example(torch.float16)
    large = 1000 * hidden
    torch.testing.assert_close(masking_loss(large, inactive, 1.0), masking_loss(large.float(), inactive, 1.0))
