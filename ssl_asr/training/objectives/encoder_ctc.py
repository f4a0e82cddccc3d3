"""CTC of the encoder alone, beside a transducer's loss: it teaches the encoder to hear words.

A predictor soon knows the texts of a small training set by heart. Then the transducer's loss is low whatever is
heard, and little is left to teach the encoder. CTC has no predictor. Graves et al., "Connectionist temporal
classification" (2006); icefall's recipe of overlapping talkers, SURT, has it at a weight of 0.2.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.transducer.joiner import Joiner


def encoder_ctc(
    joiner: Joiner,
    encoded_bte: torch.Tensor,
    labels_bu: torch.Tensor,
    frames_b: torch.Tensor,
    label_counts_b: torch.Tensor,
) -> torch.Tensor:
    """Losses [B] in nats, by the joiner's logits where the predictor says nothing: no parameters are added.

    `frames_b` and `label_counts_b` lie on the CPU. 0 where the frames are too few for the labels.
    """
    logits_btv = joiner.output(torch.tanh(joiner.encoder_projection(encoded_bte)))
    logs_tbv = logits_btv.float().log_softmax(-1).transpose(0, 1)
    losses_b: torch.Tensor = functional.ctc_loss(
        logs_tbv, labels_bu, frames_b, label_counts_b, blank=BLANK_ID, reduction="none", zero_infinity=True
    )
    return losses_b
