"""The adversary's weights and the one step in which it and the learner move apart."""

from __future__ import annotations

import pytest
import torch

from ssl_asr.speakers.adversary import Adversary, normalised_weights


def test_weights_are_half_of_those_published():
    outputs = torch.tensor([-1.0, 0.0, 2.0])
    f = 1 / (1 + torch.exp(-outputs))
    assert torch.allclose(normalised_weights(outputs), (1 + f / f.mean()) / 2)
    assert float(normalised_weights(outputs).mean()) == pytest.approx(1)
    assert torch.allclose(normalised_weights(torch.full((3,), -50.0)), torch.full((3,), 0.5))


def test_one_step_is_the_learners_and_the_adversarys_of_the_published_code():
    torch.manual_seed(0)
    adversary, learner = Adversary(3, hidden=4), torch.nn.Linear(3, 1)
    inputs = torch.randn(6, 3)
    losses = learner(inputs).squeeze(1) ** 2
    (adversary(inputs) * losses).mean().backward(retain_graph=True)
    together = [parameter.grad.clone() for parameter in (*learner.parameters(), *adversary.parameters())]
    weights = normalised_weights(adversary.layers(inputs).squeeze(1))
    least = torch.autograd.grad((weights.detach() * losses).mean(), [*learner.parameters()], retain_graph=True)
    most = torch.autograd.grad(-(weights * losses.detach()).mean(), [*adversary.parameters()])
    for found, expected in zip(together, [*least, *most], strict=True):
        assert torch.allclose(found, expected, atol=1e-7)


def test_the_adversary_finds_what_is_hard_and_the_inputs_get_no_gradient():
    torch.manual_seed(1)
    adversary = Adversary(2)
    optimiser = torch.optim.Adam(adversary.parameters(), 3e-2)
    inputs = torch.eye(2).repeat(8, 1).requires_grad_()
    losses = torch.tensor([0.1, 2.0]).repeat(8)
    for _ in range(40):
        optimiser.zero_grad()
        (adversary(inputs) * losses).mean().backward()
        optimiser.step()
    assert inputs.grad is None
    easy, hard = adversary(torch.eye(2)).tolist()
    assert hard > 0.9 > 0.7 > easy > 0.5
