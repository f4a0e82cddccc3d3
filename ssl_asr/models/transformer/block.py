"""One layer of a pre-norm Transformer, over whole utterances with every module computed: for training.

Places enter by attention with linear biases (ALiBi; Press et al. 2022): a logit loses its head's slope for each frame
between query and key. The bias depends on the distance alone, so a stream computes the same at any time, without a
table of places; and it needs no length in training to be that of use, as training is on short chunks.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from ssl_asr.models.transformer.gates import ByModule


class Weights(NamedTuple):
    """The parameters of a block; of the matrices, rows are outputs, but for `out`."""

    attention_norm: torch.Tensor
    attention_norm_bias: torch.Tensor
    queries: torch.Tensor
    queries_bias: torch.Tensor
    keys_values: torch.Tensor
    keys_values_bias: torch.Tensor
    out: torch.Tensor
    feed_forward_norm: torch.Tensor
    feed_forward_norm_bias: torch.Tensor
    rise: torch.Tensor
    rise_bias: torch.Tensor
    fall: torch.Tensor
    fall_bias: torch.Tensor


class Block(nn.Module):
    """Attention, then a feed-forward module, each added to its input.

    The output layer of attention, `out`, has no bias, so a head whose query is off adds nothing. Its rows are inputs,
    ordered by head; rows of `keys_values` are outputs, ordered by head, then key and value. So the weights of heads
    side by side are one piece of memory.
    """

    def __init__(self, *, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head = heads, width // heads
        self.attention_norm = nn.LayerNorm(width)
        self.queries = nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.out = nn.Parameter(torch.empty(width, width).uniform_(-(width**-0.5), width**-0.5))
        self.feed_forward_norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, feed_forward)
        self.fall = nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)
        # The same parameters by shorter names: a module's look-up takes longer than a frame's small products.
        self.weights = Weights(
            *(self.attention_norm.weight, self.attention_norm.bias, self.queries.weight, self.queries.bias),
            *(self.keys_values.weight, self.keys_values.bias, self.out),
            *(self.feed_forward_norm.weight, self.feed_forward_norm.bias),
            *(self.rise.weight, self.rise.bias, self.fall.weight, self.fall.bias),
        )

    def feed_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """What the feed-forward module adds to [..., width]."""
        risen = self.rise(self.feed_forward_norm(hidden)).relu()
        added: torch.Tensor = self.fall(self.dropout(risen))
        return added

    def forward(
        self,
        hidden_btd: torch.Tensor,
        bias_htt: torch.Tensor,
        keep: ByModule[torch.Tensor],
        log_keep: ByModule[torch.Tensor],
    ) -> torch.Tensor:
        """With `keep` in [0, 1]: feed_forward [B, T], queries and keys [B, T, heads], and their logarithms.

        A key's gate is added to the logits of its column as a logarithm, and multiplies its value too, so that a head
        without keys adds nothing. `bias_htt` [heads, query, key] is -inf where a query does not look.
        """
        added = self.dropout(self._attended(hidden_btd, bias_htt, keep, log_keep) @ self.out)
        hidden_btd = hidden_btd + added
        added = self.dropout(self.feed_forward(hidden_btd))
        return hidden_btd + (added if keep.feed_forward is None else added * keep.feed_forward[..., None])

    def _attended(
        self,
        hidden_btd: torch.Tensor,
        bias_htt: torch.Tensor,
        keep: ByModule[torch.Tensor],
        log_keep: ByModule[torch.Tensor],
    ) -> torch.Tensor:
        normed = self.attention_norm(hidden_btd)
        queries_bhtc = self.queries(normed).unflatten(-1, (self.heads, self.head)).transpose(1, 2)
        both = self.keys_values(normed).unflatten(-1, (self.heads, 2, self.head))
        keys_bhtc, values_bhtc = both.permute(3, 0, 2, 1, 4)
        logits_bhtt = queries_bhtc @ keys_bhtc.transpose(2, 3) * self.head**-0.5 + bias_htt
        if keep.keys is not None and log_keep.keys is not None:
            logits_bhtt = logits_bhtt + log_keep.keys.transpose(1, 2)[:, :, None]
            values_bhtc = values_bhtc * keep.keys.transpose(1, 2)[..., None]
        heard_bhtc = logits_bhtt.softmax(-1) @ values_bhtc
        if keep.queries is not None:
            heard_bhtc = heard_bhtc * keep.queries.transpose(1, 2)[..., None]
        return heard_bhtc.transpose(1, 2).flatten(2)


def slopes(heads: int) -> torch.Tensor:
    """By which a logit falls a frame, [heads]: 2^-2, 2^-4, 2^-6, 2^-8 for four heads."""
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)


def distance_bias(slopes_h: torch.Tensor, frames: int, left_context: int | None) -> torch.Tensor:
    """[heads, query, key]: -inf in the future, and further back than `left_context` frames."""
    places = torch.arange(frames, device=slopes_h.device)
    distances_tt = places[:, None] - places
    unseen_tt = distances_tt < 0
    if left_context is not None:
        unseen_tt |= distances_tt > left_context
    return (-slopes_h[:, None, None] * distances_tt).masked_fill(unseen_tt, float("-inf"))
