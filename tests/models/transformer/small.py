"""Small Transformers whose gates are open about half of the time."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ssl_asr.models.transformer.arbitrators import FeedForwardArbitrator, LstmArbitrator
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Gating, TransformerNetwork

WIDTH = 5  # of a frame
ALL = {"feed_forward": True, "queries": True, "keys": True}


def transformer(gating: Gating | None = None, *, seed: int = 0, **changes: Any) -> Transformer:
    torch.manual_seed(seed)
    values = {"layers": 3, "heads": 2, "width": 8, "feed_forward": 12, "dropout": 0.0, **changes}
    made = Transformer(TransformerNetwork(gating=gating, **values), WIDTH).eval()
    open_half(made)
    return made


def open_half(made: Transformer) -> None:
    for arbitrator in made.arbitrators:
        if isinstance(arbitrator, FeedForwardArbitrator | LstmArbitrator):
            nn.init.normal_(arbitrator.decide.weight, std=2.0)
            nn.init.normal_(arbitrator.decide.bias, std=0.3)


def padded(pieces: list[torch.Tensor], value: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = [len(piece) for piece in pieces]
    return nn.utils.rnn.pad_sequence(pieces, batch_first=True, padding_value=value), torch.tensor(lengths)
