"""The flat buffer: there and back, its fingerprint, and one number that is not finite among many."""

import hashlib

import pytest
import torch
from torch import nn

from ssl_asr.training.sync import flat


def test_there_and_back_into_memory_of_its_own() -> None:
    model, other = nn.LSTM(3, 4, 2), nn.LSTM(3, 4, 2)
    buffer = flat.parameters(model)
    flat.unflatten_into(buffer, other.parameters())
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))
    buffer.zero_()
    assert not flat.parameters(other).eq(0).all()


def test_fingerprint_is_of_the_bytes() -> None:
    buffer = torch.arange(1000, dtype=torch.float32)
    assert flat.fingerprint(buffer) == hashlib.sha256(buffer.numpy().tobytes()).hexdigest()[:16]
    changed = buffer.clone()
    changed[500] = changed[500].nextafter(torch.tensor(1e9))
    assert flat.fingerprint(changed) != flat.fingerprint(buffer)


@pytest.mark.parametrize("place", [0, 1, 4096, 99_999])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_number_that_is_not_finite_is_found(place: int, value: float) -> None:
    buffer = torch.randn(100_000)
    buffer[0] = torch.finfo(torch.float32).max  # two of them have no finite sum
    buffer[1] = torch.finfo(torch.float32).max
    assert flat.is_finite(buffer)
    buffer[place] = value
    assert not flat.is_finite(buffer)
