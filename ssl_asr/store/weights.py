"""Named tensors with a JSON description, as one safetensors file: models and checkpoints, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum

MOST_HEADER = 100_000_000  # bytes, as safetensors itself allows


def write_weights(uri: str, tensors: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> str:
    """Publish `tensors` and `description` (plain JSON values) at `uri`; returns the file's checksum."""
    # The description is a JSON string in the file's metadata, so tensors and description can't be separated.
    data = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"description": json.dumps(description, sort_keys=True)},
    )
    filesystem.write_bytes(uri, data)
    return checksum(data)


def read_weights(uri: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and description from `write_weights`; ValueError naming the file if it is damaged or another kind."""
    data = filesystem.read_bytes(uri)
    with _naming(uri):
        return load(data), _description(data)


def read_description(uri: str) -> dict[str, Any]:
    """What a weights file says of itself; its tensors are not read. ValueError as `read_weights`."""
    head = filesystem.read_bytes(uri, 8)
    with _naming(uri):
        size = int.from_bytes(head, "little")
        if size > MOST_HEADER:
            raise KeyError(f"a header of {size} bytes")
        return _description(filesystem.read_bytes(uri, 8 + size))


def _description(data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    description: dict[str, Any] = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["description"])
    return description


@contextmanager
def _naming(uri: str) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{uri} is not a whole weights file of ssl_asr ({error}); delete it and run again"
        ) from error
