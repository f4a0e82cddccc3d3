"""Up to where a bundle's Transformer has to be torch's.

A gate's logit near 0 may fall on the other side by another library's rounding. A gate that turns changes its frame
and all that look back at it, however exact the products are. And a bundle bounds how far back frames look, where a
network does not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ssl_asr.decoding.scores import Float32
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.serving.exporting.transducers.transformer.chunk import context_of
from ssl_asr.transducer.model import TransducerModel

DOUBTFUL = 1e-4  # of a logit; rounding makes a tenth of it at most


@torch.inference_mode()
def sure_frames(model: TransducerModel, frames: Float32) -> int:
    """How many of the first outputs of an utterance [30 ms frames, inputs] depend on no gate in doubt.

    Without `left_context` no more than those that look back at all frames before them in a bundle too.
    """
    encoder, least = model.encoder, list[torch.Tensor]()
    if not isinstance(encoder, Transformer):
        return len(frames)
    most = len(frames)
    if encoder.section.left_context is None:
        most = min(most, max(context_of(encoder) + 1 - encoder.look_ahead, 0))
    if not encoder.arbitrators:
        return most

    def note(module: nn.Module, given: Any, found: Any) -> None:
        least.append(found[0][0].abs().amin((1, 2)))

    hooks = [each.register_forward_hook(note) for each in encoder.arbitrators]
    try:
        model.encode_whole(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))
    finally:
        for hook in hooks:
            hook.remove()
    doubtful = (torch.stack(least).amin(0) < DOUBTFUL).nonzero()
    return min(most, max(int(doubtful[0]) - encoder.look_ahead, 0)) if len(doubtful) else most
