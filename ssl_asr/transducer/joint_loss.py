"""The transducer loss of a joiner's inputs, without the logits of all frames with all positions.

Logits are made for some nodes at a time, none of padding. Of each node only the log-probabilities of blank and of the
next label are kept. The gradient makes the logits again, but only of the nodes that alignments pass: most of them in
an untrained network, and few once it has learned a little. This is the loss to train with: then it takes less time
than all logits, and always less memory (docs/benchmarks.md, transducer_loss).

Kuang et al., "Pruned RNN-T for fast, memory-efficient ASR training" (2022), prune before, by a second and simpler
joiner, and change the loss by it. This is the loss itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ssl_asr.transducer.joiner import Joiner
from ssl_asr.transducer.targets import (
    Nodes,
    Part,
    Targets,
    logit_gradients,
    node_log_probabilities,
    passed_nodes,
    prepare,
    summing_dtype,
)


def joint_transducer_loss(
    joiner: Joiner,
    encoded_bte: torch.Tensor,
    predicted_bup: torch.Tensor,
    labels_bu: torch.Tensor,
    frames_b: torch.Tensor,
    label_counts_b: torch.Tensor,
    *,
    fast_emit: float = 0.0,
    label_bias_btu: torch.Tensor | None = None,
) -> torch.Tensor:
    """Losses [B] in nats: `transducer_loss` of `joiner(encoded_bte, predicted_bup)`, with that loss's arguments.

    `encoded_bte` [B, T, E] and `predicted_bup` [B, U + 1, P] may hold anything as padding. Under autocast, logits are
    made in its precision, and sums over them in float32. On a GPU the sums over nodes are in no fixed order, unless
    `torch.use_deterministic_algorithms` asks for one.
    """
    targets = prepare(
        labels_bu,
        frames_b,
        label_counts_b,
        (*encoded_bte.shape[:2], predicted_bup.shape[1], joiner.outputs),
        encoded_bte.device,
        fast_emit=fast_emit,
        label_bias_btu=label_bias_btu,
    )
    losses_b: torch.Tensor = _JointLoss.apply(
        joiner.encoder_projection(_without_padding(encoded_bte, targets.frames_b)),
        joiner.predictor_projection(_without_padding(predicted_bup, targets.label_counts_b + 1)),
        joiner.output.weight,
        joiner.output.bias,
        targets,
    )
    return losses_b


def _without_padding(values_bnd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
    padding_bn = torch.arange(values_bnd.shape[1], device=values_bnd.device) >= lengths_b[:, None]
    return values_bnd.masked_fill(padding_bn[:, :, None], 0.0)


@dataclass(frozen=True)
class _Inputs:
    """e^2x of the projected outputs x of encoder and predictor, and the last layer in the precision of these.

    tanh(a + b) is 1 - 2 / (1 + e^2a e^2b), which takes no exponential at a node.
    """

    encoded_btj: torch.Tensor
    predicted_buj: torch.Tensor
    weight_vj: torch.Tensor
    bias_v: torch.Tensor

    @classmethod
    def of(
        cls, encoded_btj: torch.Tensor, predicted_buj: torch.Tensor, weight_vj: torch.Tensor, bias_v: torch.Tensor
    ) -> _Inputs:
        dtype = encoded_btj.dtype
        return cls(_exp_twice(encoded_btj), _exp_twice(predicted_buj), weight_vj.to(dtype), bias_v.to(dtype))

    def hidden_part(self, here: Part) -> torch.Tensor:
        """[t, u, J]"""
        row, frames, positions = here
        return self._hidden(self.encoded_btj[row, frames, None] * self.predicted_buj[row, None, positions])

    def hidden(self, here: Nodes) -> torch.Tensor:
        """[n, J]"""
        encoded_mj, predicted_kj = self.encoded_btj.flatten(0, 1), self.predicted_buj.flatten(0, 1)
        return self._hidden(encoded_mj[here.frames_n].mul_(predicted_kj[here.positions_n]))

    def _hidden(self, powers_j: torch.Tensor) -> torch.Tensor:
        """Changes what it is given."""
        return powers_j.add_(1).reciprocal_().mul_(-2).add_(1).to(self.weight_vj.dtype)

    def logits(self, hidden_nj: torch.Tensor) -> torch.Tensor:
        """[..., n, V]"""
        return functional.linear(hidden_nj, self.weight_vj, self.bias_v)


def _exp_twice(values: torch.Tensor) -> torch.Tensor:
    """e^2x, with x held between -43 and 43.

    So float32 holds it, and the product of two or its limit, 0 or infinity. A sum of two such x differs from that of
    the values only where both are beyond, on either side of zero.
    """
    return values.to(summing_dtype(values.dtype)).clamp(-43.0, 43.0).mul_(2).exp_()


class _JointLoss(torch.autograd.Function):
    """Keeps its inputs and two values a node, and makes hidden outputs and logits twice."""

    @staticmethod
    def forward(
        ctx: Any,
        encoded_btj: torch.Tensor,
        predicted_buj: torch.Tensor,
        weight_vj: torch.Tensor,
        bias_v: torch.Tensor,
        targets: Targets,
    ) -> torch.Tensor:
        inputs = _Inputs.of(encoded_btj, predicted_buj, weight_vj, bias_v)
        shape = (*encoded_btj.shape[:2], predicted_buj.shape[1])
        blanks_btu, labels_btu = encoded_btj.new_zeros((2, *shape), dtype=summing_dtype(encoded_btj.dtype))
        for here, next_labels_tu in targets.parts(max(weight_vj.shape)):
            found = node_log_probabilities(inputs.logits(inputs.hidden_part(here)), next_labels_tu)
            blanks_btu[here], labels_btu[here] = found
        gradients = targets.differentiate(blanks_btu, labels_btu)
        leaves = (encoded_btj, predicted_buj, weight_vj, bias_v)
        ctx.save_for_backward(*leaves, gradients.blanks_btu, gradients.labels_btu)
        ctx.targets = targets
        return gradients.losses_b

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_b: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *leaves, blanks_btu, labels_btu = ctx.saved_tensors
        inputs = _Inputs.of(*leaves)
        blanks_n, labels_n = ((each * gradient_b[:, None, None]).flatten() for each in (blanks_btu, labels_btu))
        gradients = [torch.zeros_like(each, dtype=blanks_btu.dtype) for each in leaves]
        encoded_btj, predicted_buj, weight_vj, bias_v = gradients
        for here in ctx.targets.slices(passed_nodes(blanks_btu, labels_btu), max(weight_vj.shape)):
            hidden_nj = inputs.hidden(here)
            logits_nv = logit_gradients(
                inputs.logits(hidden_nj), here.next_labels_n, blanks_n[here.nodes_n], labels_n[here.nodes_n]
            )
            bias_v += logits_nv.sum(0)
            logits_nv = logits_nv.to(hidden_nj.dtype)
            weight_vj += logits_nv.T @ hidden_nj
            sums_nj = logits_nv @ inputs.weight_vj
            sums_nj = sums_nj.addcmul_(sums_nj, hidden_nj.square_(), value=-1).to(blanks_btu.dtype)
            encoded_btj.view(-1, weight_vj.shape[1]).index_add_(0, here.frames_n, sums_nj)
            predicted_buj.view(-1, weight_vj.shape[1]).index_add_(0, here.positions_n, sums_nj)
        return *(each.to(leaf.dtype) for each, leaf in zip(gradients, leaves, strict=True)), None
