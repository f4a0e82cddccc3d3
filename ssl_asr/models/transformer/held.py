"""The state of a Transformer by its parts.

Frame by frame, keys are written in place behind the end of caches: to copy all keys for each frame would take longer
than to use them. An older state stays valid, since it ends before. But only the newest state in a memory may be gone
on from there; any other copies first. `newest` tells them apart: all states in a memory share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ssl_asr.models.encoder import EncoderState
from ssl_asr.models.transformer.cache import Cache, copied


@dataclass(frozen=True)
class Held:
    """`position` int64 [1, B] is the number of frames before; `newest` [1, B] that of the newest state in the memory.

    `arbitrators` are the states of the arbitrators, `caches` are by layer.
    """

    position_1b: torch.Tensor
    newest_1b: torch.Tensor
    arbitrators: Sequence[EncoderState]
    caches: Sequence[Cache]

    @property
    def tensors(self) -> EncoderState:
        arbitrators = (tensor for state in self.arbitrators for tensor in state)
        caches = (tensor for cache in self.caches for tensor in cache.tensors)
        return (self.position_1b, self.newest_1b, *arbitrators, *caches)


def held_of(state: EncoderState, arbitrator_tensors: Sequence[int]) -> Held:
    """From `Held.tensors`; the numbers of tensors in each arbitrator's state."""
    position, newest, *rest = state
    arbitrators = []
    for count in arbitrator_tensors:
        arbitrators.append(tuple(rest[:count]))
        rest = rest[count:]
    return Held(position, newest, arbitrators, [Cache(*pair) for pair in zip(rest[::2], rest[1::2], strict=True)])


def to_go_on(held: Held) -> Held:
    """Of one utterance, to be gone on from in place by one frame: in a memory that no other state goes on in."""
    position, newest = int(held.position_1b), held.newest_1b
    # Memory of inference mode can't be written to outside of it.
    if int(newest) != position or newest.is_inference() != torch.is_inference_mode_enabled():
        held = replace(held, newest_1b=held.position_1b.clone(), caches=[copied(each) for each in held.caches])
    held.newest_1b.fill_(position + 1)
    return held
