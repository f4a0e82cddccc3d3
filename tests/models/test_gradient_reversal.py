"""Values pass, gradients change their sign."""

from __future__ import annotations

import torch

from ssl_asr.models.gradient_reversal import gradient_reversed


def test_gradients_change_sign_and_nothing_else():
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    (gradient_reversed(values) * torch.tensor([3.0, 5.0])).sum().backward()
    assert values.grad.tolist() == [-3, -5]
