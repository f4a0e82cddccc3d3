"""Named tensors with a JSON description, as one safetensors file: models and checkpoints, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum


def write_weights(uri: str, tensors: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> str:
    """Publish `tensors` and `description` (plain JSON values) at `uri`; returns the file's checksum."""
    # The file keeps a JSON string as its only metadata, so tensors and description can't come apart.
    data = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"description": json.dumps(description, sort_keys=True)},
    )
    filesystem.write_bytes(uri, data)
    return checksum(data)


def read_weights(uri: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What `write_weights` wrote; ValueError naming the file where it is damaged or not ours."""
    data = filesystem.read_bytes(uri)
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        return tensors, json.loads(header["__metadata__"]["description"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{uri} is not a whole weights file of ssl_asr ({error}); delete it and run again"
        ) from error
