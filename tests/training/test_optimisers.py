"""The optimisers are torch's to the bit, and training does not import torch's compiler."""

import subprocess
import sys

import pytest
import torch

from ssl_asr.recipe import Optimiser
from ssl_asr.training.optimisers import build_optimiser


def trained(name: str, *, ours: bool) -> torch.Tensor:
    """The weights of a small network after some steps, its gradients clipped."""
    torch.manual_seed(1)
    model = torch.nn.LSTM(6, 5, 2)
    settings = Optimiser(name=name)
    momentum = {} if name == "adam" else {"momentum": settings.momentum}
    kind = torch.optim.Adam if name == "adam" else torch.optim.SGD
    optimiser = (
        build_optimiser(model, settings)
        if ours
        else kind(model.parameters(), lr=settings.learning_rate, fused=True, **momentum)
    )
    assert isinstance(optimiser, kind)
    for step in range(5):
        optimiser.param_groups[0]["lr"] = settings.learning_rate / (1 + step)
        optimiser.zero_grad()
        model(torch.randn(7, 3, 6))[0].square().sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    assert all(each.requires_grad for each in model.parameters())
    return torch.cat([each.detach().flatten() for each in model.parameters()])


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_steps_are_torchs_to_the_bit(name: str) -> None:
    assert torch.equal(trained(name, ours=True), trained(name, ours=False))


def test_training_does_not_import_torchs_compiler() -> None:
    """Nor scipy's signal processing, which takes as long."""
    code = """
import sys
import ssl_asr.training.elastic.worker
from tests.training.test_optimisers import trained
trained("adam", ours=True)
print([name for name in ("torch._dynamo", "scipy.signal", "scipy.optimize", "tensorboardX") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == "[]\n"
