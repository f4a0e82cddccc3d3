"""Where a Transformer's gates are sure: a logit near 0 may fall on the other side by another library's rounding.

A gate that turns changes its frame and all that look back at it, however exact the products are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ssl_asr.decoding.scores import Float32
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.transducer.model import TransducerModel

DOUBTFUL = 1e-4  # of a logit; rounding makes a tenth of it at most


@torch.inference_mode()
def sure_frames(model: TransducerModel, frames: Float32) -> int:
    """How many of the first outputs of an utterance [30 ms frames, inputs] depend on no gate in doubt."""
    encoder, least = model.encoder, list[torch.Tensor]()
    if not isinstance(encoder, Transformer) or not encoder.arbitrators:
        return len(frames)

    def note(module: nn.Module, given: Any, found: Any) -> None:
        least.append(found[0][0].abs().amin((1, 2)))

    hooks = [each.register_forward_hook(note) for each in encoder.arbitrators]
    try:
        model.encode_whole(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))
    finally:
        for hook in hooks:
            hook.remove()
    doubtful = (torch.stack(least).amin(0) < DOUBTFUL).nonzero()
    return max(int(doubtful[0]) - encoder.look_ahead, 0) if len(doubtful) else len(frames)
