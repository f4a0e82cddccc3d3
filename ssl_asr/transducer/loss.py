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
    passed_nodes,
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
        logits_nv = logits_btuv.reshape(-1, logits_btuv.shape[3])
        blanks_n, labels_n = logits_btuv.new_zeros((2, len(logits_nv)), dtype=summing_dtype(logits_btuv.dtype))
        for here in targets.slices(targets.nodes_n, logits_nv.shape[1]):
            found = node_log_probabilities(logits_nv[here.nodes_n], here.next_labels_n)
            blanks_n[here.nodes_n], labels_n[here.nodes_n] = found
        shape = logits_btuv.shape[:3]
        gradients = targets.differentiate(blanks_n.view(shape), labels_n.view(shape))
        ctx.save_for_backward(logits_btuv, gradients.blanks_btu, gradients.labels_btu)
        ctx.targets = targets
        return gradients.losses_b

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_b: torch.Tensor) -> tuple[torch.Tensor, None]:
        logits_btuv, blanks_btu, labels_btu = ctx.saved_tensors
        logits_nv = logits_btuv.reshape(-1, logits_btuv.shape[3])
        blanks_n, labels_n = ((each * gradient_b[:, None, None]).flatten() for each in (blanks_btu, labels_btu))
        gradients_nv = torch.zeros_like(logits_nv, memory_format=torch.contiguous_format)
        for here in ctx.targets.slices(passed_nodes(blanks_btu, labels_btu), logits_nv.shape[1]):
            nodes_n = here.nodes_n
            found_nv = logit_gradients(logits_nv[nodes_n], here.next_labels_n, blanks_n[nodes_n], labels_n[nodes_n])
            gradients_nv[nodes_n] = found_nv.to(gradients_nv.dtype)
        return gradients_nv.view(logits_btuv.shape), None
