"""A checkpoint: everything that workers need to continue as if they had never stopped.

`shared.safetensors` holds what all workers share: the strategy's state (theta, delta, ...), the optimiser's, the
buffers of what is learned beside the network, the cursor, the block number and the learning curve. If workers have
state of their own, such as the residuals of gradient compression, each writes a file beside it:
`worker-0002-of-0004.safetensors`. Any number of workers can continue.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ssl_asr.store import filesystem
from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.training.curve import Record
from ssl_asr.training.loop import Loop
from ssl_asr.training.schedule import Cursor
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import assert_agreed
from ssl_asr.training.sync.moments import (
    make_state,
    moments_of,
    set_steps,
    set_steps_of_each,
    steps_of_each,
)
from ssl_asr.training.sync.strategy import State

SHARED = "shared.safetensors"
_COMPANION = "companion."


@dataclass(frozen=True)
class Snapshot:
    """One worker's part of a checkpoint, in memory and on the CPU, so that training continues while it is written."""

    block: int
    fingerprint: str
    shared: State
    about: dict[str, Any]
    local: State
    rank: int
    workers: int


def snapshot(loop: Loop, fingerprint: str, curve: Sequence[Record]) -> Snapshot:
    """The state after the loop's last block, whose global model has this fingerprint.

    Only the first worker stores the shared state.
    """
    local = _on_cpu(loop.strategy.local_state_dict())
    worker = loop.worker
    if worker.rank != 0:
        return Snapshot(loop.block, fingerprint, {}, {}, local, worker.rank, worker.size)
    shared = {f"strategy.{name}": tensor for name, tensor in loop.strategy.state_dict().items()}
    shared |= {_COMPANION + name: tensor for name, tensor in loop.shared_state().items()}
    if moments_of(loop.optimiser):
        make_state(loop.optimiser)  # of what is frozen too
        shared["optimiser.moments"] = flat.flatten(moments_of(loop.optimiser))
        shared["optimiser.steps"] = steps_of_each(loop.optimiser)
    # The curve is stored as a tensor, because the JSON header may have at most 100 MB.
    shared["curve"] = torch.frombuffer(bytearray(json.dumps(list(curve)).encode()), dtype=torch.uint8)
    about = {
        "cursor": asdict(loop.cursor),
        "block": loop.block,
        "workers": worker.size,
        "has_local": bool(local),
    }
    return Snapshot(loop.block, fingerprint, _on_cpu(shared), about, local, 0, worker.size)


def _on_cpu(state: State) -> State:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}


def write_snapshot(folder: str, taken: Snapshot) -> None:
    """Publish one worker's part; the checkpoint is complete when all workers have published theirs."""
    if taken.local:
        write_weights(_local_uri(folder, taken.rank, taken.workers), taken.local, {})
    if taken.shared:
        write_weights(filesystem.join(folder, SHARED), taken.shared, taken.about)


def restore(folder: str, loop: Loop) -> list[Record]:
    """Set the loop to the checkpoint, check that all workers agree on the state, and return the curve so far."""
    tensors, about = read_weights(filesystem.join(folder, SHARED))
    device = loop.worker.device
    prefix = "strategy."
    loop.strategy.load_state_dict(
        {name.removeprefix(prefix): kept.to(device) for name, kept in tensors.items() if name.startswith(prefix)}
    )
    if about["has_local"]:
        _restore_local(folder, loop, about["workers"])
    loop.cursor = Cursor(**about["cursor"])
    loop.block = about["block"]
    if "optimiser.moments" in tensors:
        make_state(loop.optimiser)
        if "optimiser.steps" in tensors:
            set_steps_of_each(loop.optimiser, tensors["optimiser.steps"])
        else:  # of an earlier version, which counted for all alike
            set_steps(loop.optimiser, about["optimiser_steps"])
        flat.unflatten_into(tensors["optimiser.moments"].to(device), moments_of(loop.optimiser))
    for name, kept in loop.shared_state().items():
        kept.copy_(tensors[_COMPANION + name])
    place = (asdict(loop.cursor), loop.block, loop.fingerprint())
    assert_agreed(loop.worker.group, "cursor, block and model after a restart", place)
    curve: list[Record] = json.loads(tensors["curve"].numpy().tobytes())
    loop.bad_blocks = _bad_blocks(curve)
    return curve


def _bad_blocks(curve: Sequence[Record]) -> int:
    """How many blocks at the end of the curve had contributions that were not finite."""
    dropped = (record["dropped"] for record in reversed(curve) if "dropped" in record)
    return sum(1 for _ in itertools.takewhile(bool, dropped))


def _restore_local(folder: str, loop: Loop, workers: int) -> None:
    """Reads this worker's part, or its share of the parts one by one, because they are large and many."""
    worker = loop.worker
    redistributed = workers != worker.size
    ranks = range(worker.rank, workers, worker.size) if redistributed else [worker.rank]
    uris = (_local_uri(folder, rank, workers) for rank in ranks)
    parts = (read_weights(uri)[0] for uri in uris)
    loop.strategy.load_local_state_dicts(parts, redistributed=redistributed)


def _local_uri(folder: str, rank: int, workers: int) -> str:
    return filesystem.join(folder, f"worker-{rank:04d}-of-{workers:04d}.safetensors")
