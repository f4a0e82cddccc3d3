"""What a transducer's encoder runs for utterances: its FLOPs, and how many of its modules, by the gates it closes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from ssl_asr.models.encoder import Flops
from ssl_asr.models.normalised import with_look_ahead
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.models.transformer.flops import Rates
from ssl_asr.transducer.model import TransducerModel


@dataclass(frozen=True)
class Kept:
    """Of all utterances: FLOPs, the frames of each, and the shares of the modules of each kind that ran."""

    flops: float
    lengths: Sequence[int]
    rates: Rates


@torch.inference_mode()
def encoder_flops(model: TransducerModel, utterances: Iterable[torch.Tensor]) -> Flops:
    """Of each utterance [30 ms frames, inputs], look-ahead included; predictor and joiner are not counted.

    Each is alone in its batch, so that nothing depends on padding.
    """
    found = [model.encoder.flops(*_heard(model, frames_td)) for frames_td in utterances if len(frames_td)]
    spent, whole = ([getattr(each, name) for each in found] for name in ("spent_b", "whole_b"))
    return Flops(*(torch.cat(each) if found else torch.zeros(0, dtype=torch.float64) for each in (spent, whole)))


@torch.inference_mode()
def kept_on(model: TransducerModel, utterances: Iterable[torch.Tensor]) -> Kept:
    """What a Transformer with gates keeps on utterances [30 ms frames, inputs], as `encoder_flops` counts.

    What is not gated is kept.
    """
    encoder, flops, lengths = model.encoder, 0.0, list[int]()
    assert isinstance(encoder, Transformer), "only a Transformer has gates"
    kept_g = torch.zeros(encoder.parts.count, dtype=torch.float64)  # the mean over layers, summed over frames
    for frames_td in utterances:
        if len(frames_td):
            inputs_btd, lengths_b = _heard(model, frames_td)
            ran = encoder.computed(inputs_btd, lengths_b)
            kept_g += ran.keep.double().mean(2).sum((0, 1)).cpu()
            flops += float(ran.flops.sum())
            lengths.append(int(lengths_b))
    split = encoder.parts.split(kept_g / max(sum(lengths), 1))
    forward, queries, keys = (
        1.0 if part is None else float(part.mean()) for part in (split.feed_forward, split.queries, split.keys)
    )
    return Kept(flops, lengths, (forward, queries, keys))


def _heard(model: TransducerModel, frames_td: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """An utterance as the encoder takes it, its look-ahead included: inputs [1, T, D] and lengths [1]."""
    heard, lengths = with_look_ahead(frames_td[None], torch.tensor([len(frames_td)]), model.encoder.look_ahead)
    return model.normalise(heard.to(model.mean.device)), lengths
