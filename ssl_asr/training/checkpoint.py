"""A checkpoint: everything that a loop needs to go on as if it had never stopped, as one weights file.

It holds the strategy's state (theta, delta), the optimiser's, the cursor, the block number and the learning curve so
far. Nothing in it depends on the number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch

from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.training import collective, flat
from ssl_asr.training.bmuf import make_state, optimiser_moments, optimiser_steps
from ssl_asr.training.curve import Record
from ssl_asr.training.loop import Loop
from ssl_asr.training.schedule import Cursor


def save_checkpoint(uri: str, loop: Loop, cursor: Cursor, curve: Sequence[Record]) -> None:
    """Publish the state after the block that ended at `cursor`; called by one worker, for all."""
    tensors = {f"strategy.{name}": tensor for name, tensor in loop.strategy.state_dict().items()}
    moments = optimiser_moments(loop.optimiser)
    if moments:
        tensors["optimiser.moments"] = flat.flatten(moments)
    about = {
        "cursor": asdict(cursor),
        "block": loop.block,
        "optimiser_steps": optimiser_steps(loop.optimiser),
        "curve": list(curve),
    }
    write_weights(uri, tensors, about)


def load_checkpoint(uri: str, loop: Loop) -> list[Record]:
    """Put the loop where the checkpoint was taken, see that all workers stand there, and return the curve so far."""
    tensors, about = read_weights(uri)
    device = loop.worker.device
    state = {
        name.removeprefix("strategy."): tensor.to(device)
        for name, tensor in tensors.items()
        if name.startswith("strategy.")
    }
    loop.strategy.load_state_dict(state)
    loop.cursor = Cursor(**about["cursor"])
    loop.block = about["block"]
    if "optimiser.moments" in tensors:
        _restore_optimiser(loop.optimiser, tensors["optimiser.moments"].to(device), about["optimiser_steps"])
    place = (asdict(loop.cursor), loop.block, flat.fingerprint(loop.strategy.global_model()))
    collective.assert_agreed("cursor, block and model after a restart", place)
    return list(about["curve"])


def _restore_optimiser(optimiser: torch.optim.Optimizer, moments: torch.Tensor, steps: int) -> None:
    """Fill in the moments and the steps they were gathered over."""
    make_state(optimiser)
    for state in optimiser.state.values():
        if "step" in state:
            state["step"].fill_(steps)
    flat.unflatten_into(moments, optimiser_moments(optimiser))
