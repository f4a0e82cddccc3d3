"""The FLOPs that a transducer's encoder takes for utterances, counted with the gates that it really closes."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ssl_asr.models.encoder import Flops
from ssl_asr.models.normalised import with_look_ahead
from ssl_asr.transducer.model import TransducerModel


@torch.inference_mode()
def encoder_flops(model: TransducerModel, utterances: Iterable[torch.Tensor]) -> Flops:
    """Of each utterance [30 ms frames, inputs], look-ahead included; predictor and joiner are not counted.

    Each is alone in its batch, so that nothing depends on padding.
    """
    found = [_flops(model, frames_td) for frames_td in utterances if len(frames_td)]
    spent, whole = ([getattr(each, name) for each in found] for name in ("spent_b", "whole_b"))
    return Flops(*(torch.cat(each) if found else torch.zeros(0, dtype=torch.float64) for each in (spent, whole)))


def _flops(model: TransducerModel, frames_td: torch.Tensor) -> Flops:
    heard, lengths = with_look_ahead(frames_td[None], torch.tensor([len(frames_td)]), model.encoder.look_ahead)
    return model.encoder.flops(model.normalise(heard.to(model.mean.device)), lengths)
