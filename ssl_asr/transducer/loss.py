"""The transducer loss: minus the log-probability of a text, over all its alignments with the frames.

Graves, "Sequence transduction with recurrent neural networks" (2012); FastEmit by Yu et al., "FastEmit: low-latency
streaming ASR with sequence-level emission regularization" (2021, arXiv 2010.11148). This is the loss of logits that
are there already; `joint_loss.py` has the same loss of a joiner's inputs, for training.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ssl_asr.transducer.targets import (
    Targets,
    logit_gradients,
    node_log_probabilities,
    prepare,
    summing_dtype,
)


def transducer_loss(
    logits_btuv: torch.Tensor,
    labels_bu: torch.Tensor,
    frames_b: torch.Tensor,
    label_counts_b: torch.Tensor,
    *,
    fast_emit: float = 0.0,
    label_bias_btu: torch.Tensor | None = None,
) -> torch.Tensor:
    """Losses [B] in nats of the texts of a batch.

    `logits_btuv` [B, T, U + 1, V] are those of the joiner after u labels; label 0 is blank. They may be float16 or
    bfloat16: sums and losses are float32 then. `labels_bu` [B, U] are whole numbers from 1 to V - 1; `frames_b` and
    `label_counts_b` [B], at least 1 and 0, say what of each utterance is not padding. Padding may hold anything, and
    has no gradient. ValueError where labels or lengths are out of range.

    With `fast_emit`, lambda in the paper, the gradient by a label's log-probability is 1 + lambda times that of the
    likelihood, and blank's is unchanged. The loss that is returned stays that of the likelihood. `label_bias_btu`
    [B, T, U] in nats is added to the log-probability of label u + 1 at frame t, and is not differentiated: a penalty
    on late labels, for example; -inf forbids. Where no alignment is possible, the loss is inf and has no gradient.
    """
    targets = prepare(
        labels_bu,
        frames_b,
        label_counts_b,
        logits_btuv.shape,
        logits_btuv.device,
        fast_emit=fast_emit,
        label_bias_btu=label_bias_btu,
    )
    losses_b: torch.Tensor = _TransducerLoss.apply(logits_btuv, targets)
    return losses_b


class _TransducerLoss(torch.autograd.Function):
    """Keeps the logits and two values a node; only the gradient has the logits' size."""

    @staticmethod
    def forward(ctx: Any, logits_btuv: torch.Tensor, targets: Targets) -> torch.Tensor:
        dtype = summing_dtype(logits_btuv.dtype)
        blanks_btu, labels_btu = logits_btuv.new_zeros((2, *logits_btuv.shape[:3]), dtype=dtype)
        for here, next_labels_tu in targets.parts(logits_btuv.shape[3]):
            blanks_btu[here], labels_btu[here] = node_log_probabilities(logits_btuv[here], next_labels_tu)
        gradients = targets.differentiate(blanks_btu, labels_btu)
        ctx.save_for_backward(logits_btuv, gradients.blanks_btu, gradients.labels_btu)
        ctx.targets = targets
        return gradients.losses_b

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_b: torch.Tensor) -> tuple[torch.Tensor, None]:
        logits_btuv, *occupancies = ctx.saved_tensors
        blanks_btu, labels_btu = (each * gradient_b[:, None, None] for each in occupancies)
        gradients_btuv = torch.zeros_like(logits_btuv, memory_format=torch.contiguous_format)
        for here, next_labels_tu in ctx.targets.parts(logits_btuv.shape[3]):
            gradients_btuv[here] = logit_gradients(
                logits_btuv[here], next_labels_tu, blanks_btu[here], labels_btu[here]
            )
        return gradients_btuv, None
