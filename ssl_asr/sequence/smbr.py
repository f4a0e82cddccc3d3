"""State-level minimum Bayes risk (sMBR): the expected number of right frames over the paths of lattices.

One silence class: senone 0 is all of silence, and it is right where the reference is silent, as with Kaldi's
`one_silence_class`. Where silence is never right, a network learns to insert words (Vesely et al. 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ssl_asr.sequence.batches import LatticeBatch
from ssl_asr.sequence.forward_backward import forward_backward


@dataclass(frozen=True)
class ExpectedAccuracy:
    """`accuracies` float64 [U] are expected numbers of right frames, to be differentiated.

    `lost` [U] says of which utterances the probabilities underflowed: they have accuracy 0 and no gradient.
    """

    accuracies: torch.Tensor
    lost: torch.Tensor


def expected_accuracy(
    logits_nv: torch.Tensor, references_n: torch.Tensor, batch: LatticeBatch, *, kappa: float
) -> ExpectedAccuracy:
    """Of paths by kappa log posteriors minus the lattices' costs, which hold the priors (`Lattice.with_priors`).

    Rows [n] are the frames of the batch's utterances, one after the other; `references_n` are their aligned senones.
    Logits stand for log posteriors: a constant a frame changes neither accuracies nor gradients.
    """
    device = logits_nv.device
    rows, senones = torch.from_numpy(batch.rows).to(device), torch.from_numpy(batch.senones).to(device)
    scores = kappa * logits_nv.detach()[rows, senones].double()
    right = (references_n[rows] == senones).double()
    found = forward_backward(batch, scores.cpu().numpy(), right.cpu().numpy())
    accuracies: torch.Tensor = _Accuracies.apply(
        logits_nv,
        torch.from_numpy(found.accuracies).to(device),
        rows * logits_nv.shape[1] + senones,
        torch.from_numpy(kappa * found.gradients).to(device),
        torch.from_numpy(batch.arc_utterances).to(device),
    )
    lost = torch.zeros(len(batch.num_frames), dtype=torch.bool)
    lost[torch.from_numpy(found.lost)] = True
    return ExpectedAccuracy(accuracies, lost.to(device))


class _Accuracies(torch.autograd.Function):
    """Accuracies whose gradient by the logits is known: that of each arc, added up where its score came from.

    It is also the gradient before the softmax: in every frame it sums to 0.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits_nv: torch.Tensor,
        accuracies_u: torch.Tensor,
        cells_a: torch.Tensor,
        gradients_a: torch.Tensor,
        utterances_a: torch.Tensor,
    ) -> torch.Tensor:
        ctx.save_for_backward(logits_nv, cells_a, gradients_a, utterances_a)
        return accuracies_u.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_u: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        logits_nv, cells_a, gradients_a, utterances_a = ctx.saved_tensors
        values_a = (gradients_a * gradient_u[utterances_a]).to(logits_nv.dtype)
        summed = torch.zeros_like(logits_nv, memory_format=torch.contiguous_format)
        summed.view(-1).scatter_add_(0, cells_a, values_a)
        return summed, None, None, None, None
