"""What the transducer loss is told of a batch besides its logits, and what it does at the nodes of its grids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from ssl_asr.transducer.loss_grid import forward_backward

BLANK = 0
# Numbers in the largest tensor of a slice of nodes, 8 MB in float32. From 2^18 to 2^22 a core takes the same time; a
# GPU prefers large slices.
_SLICE = 1 << 21


@dataclass(frozen=True)
class NodeGradients:
    """Losses in nats [B], and minus their gradients by the log-probabilities at nodes [B, T, U + 1].

    These are occupancies, but for FastEmit.
    """

    losses_b: torch.Tensor
    blanks_btu: torch.Tensor
    labels_btu: torch.Tensor


@dataclass(frozen=True)
class Nodes:
    """Some nodes: their places in [B, T, U + 1], in [B, T] and in [B, U + 1], and the label that follows each.

    The label is blank where none follows.
    """

    nodes_n: torch.Tensor
    frames_n: torch.Tensor
    positions_n: torch.Tensor
    next_labels_n: torch.Tensor


Part = tuple[int, slice, slice]  # one utterance, some of its frames, and its positions


@dataclass(frozen=True)
class Targets:
    """Texts of a batch, all on one device; for `fast_emit` and `label_bias_btu` see `transducer_loss`.

    `labels_bu` [B, U + 1] is padded with blanks, at least one a text.
    """

    labels_bu: torch.Tensor
    frames_b: torch.Tensor
    label_counts_b: torch.Tensor
    num_frames: int
    fast_emit: float
    label_bias_btu: torch.Tensor | None

    def differentiate(self, blanks_btu: torch.Tensor, labels_btu: torch.Tensor) -> NodeGradients:
        """Of the log-probabilities of blank and of the next label at each node [B, T, U + 1]."""
        if self.label_bias_btu is not None:
            labels_btu = labels_btu + functional.pad(self.label_bias_btu, (0, 1))
        found = forward_backward(blanks_btu, labels_btu, self.frames_b, self.label_counts_b)
        dtype = blanks_btu.dtype
        pushed = (1 + self.fast_emit) * found.labels_btu
        return NodeGradients(-found.log_likelihoods_b.to(dtype), found.blanks_btu.to(dtype), pushed.to(dtype))

    def parts(self, width: int) -> Iterator[tuple[Part, torch.Tensor]]:
        """All nodes that are not padding, some at a time, where each has `width` numbers.

        With the labels that follow the nodes [t, u].
        """
        lengths = zip(self.frames_b.tolist(), self.label_counts_b.tolist(), strict=True)
        for row, (num_frames, count) in enumerate(lengths):
            positions = slice(count + 1)
            for frames in in_steps(num_frames, (count + 1) * width):
                yield (row, frames, positions), self.labels_bu[row, positions].expand(frames.stop - frames.start, -1)

    def slices(self, nodes_n: torch.Tensor, width: int) -> Iterator[Nodes]:
        """Some of these nodes at a time, where each has `width` numbers."""
        num_positions = self.labels_bu.shape[1]
        for here in in_steps(len(nodes_n), width):
            some_n = nodes_n[here]
            frames_n = some_n // num_positions
            positions_n = frames_n // self.num_frames * num_positions + some_n % num_positions
            yield Nodes(some_n, frames_n, positions_n, self.labels_bu.flatten()[positions_n])


def prepare(
    labels_bu: torch.Tensor,
    frames_b: torch.Tensor,
    label_counts_b: torch.Tensor,
    shape: tuple[int, ...],
    device: torch.device,
    *,
    fast_emit: float,
    label_bias_btu: torch.Tensor | None,
) -> Targets:
    """Checked targets for logits of this shape [B, T, U + 1, V] on this device."""
    size, num_frames, num_positions, outputs = shape
    assert labels_bu.shape == (size, num_positions - 1), "the grid needs one position more than the texts have labels"
    assert frames_b.shape == label_counts_b.shape == (size,)
    assert label_bias_btu is None or label_bias_btu.shape == (size, num_frames, num_positions - 1)
    frames_b, label_counts_b = frames_b.to(device).long(), label_counts_b.to(device).long()
    positions_u = torch.arange(num_positions, device=device)
    labelled_bu = positions_u[:-1] < label_counts_b[:, None]
    labels_bu = torch.where(labelled_bu, labels_bu.to(device).long(), BLANK)
    wrong = [
        ((frames_b < 1) | (frames_b > num_frames)).any(),
        ((label_counts_b < 0) | (label_counts_b >= num_positions)).any(),
        (labelled_bu & ((labels_bu <= BLANK) | (labels_bu >= outputs))).any(),
    ]
    messages = (
        f"an utterance has no frame, or more than the batch's {num_frames}",
        f"an utterance has less than no label, or more than the batch's {num_positions - 1}",
        f"labels must be from 1 to {outputs - 1}: 0 is blank, and the joiner has {outputs} outputs",
    )
    for found, message in zip(torch.stack(wrong).tolist(), messages, strict=True):
        if found:
            raise ValueError(message)
    return Targets(
        functional.pad(labels_bu, (0, 1), value=BLANK),
        frames_b,
        label_counts_b,
        num_frames,
        fast_emit,
        None if label_bias_btu is None else label_bias_btu.detach().to(device),
    )


def in_steps(count: int, width: int) -> Iterator[slice]:
    """Slices of `count` rows with `width` numbers each."""
    step = max(1, _SLICE // width)
    for begin in range(0, count, step):
        yield slice(begin, min(begin + step, count))


def passed_nodes(blanks_btu: torch.Tensor, labels_btu: torch.Tensor) -> torch.Tensor:
    """The nodes that alignments pass [n], by their occupancies: all with more than the precision of a sum.

    That is 1e-7 in float32. The gradients of the others are lost in those of the nodes that are passed. What is no
    number stays, to be seen.
    """
    occupancies_btu = blanks_btu + labels_btu
    left_out_btu = occupancies_btu <= torch.finfo(occupancies_btu.dtype).eps
    return (~left_out_btu).flatten().nonzero().squeeze(1)


def summing_dtype(dtype: torch.dtype) -> torch.dtype:
    """In which sums over values of `dtype` are made."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def node_log_probabilities(logits_nv: torch.Tensor, next_labels_n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of blank and of the next label at each node [..., n]."""
    logs_nv = logits_nv.log_softmax(-1, dtype=summing_dtype(logits_nv.dtype))
    return logs_nv[..., BLANK], logs_nv.gather(-1, next_labels_n[..., None]).squeeze(-1)


def logit_gradients(
    logits_nv: torch.Tensor, next_labels_n: torch.Tensor, blanks_n: torch.Tensor, labels_n: torch.Tensor
) -> torch.Tensor:
    """By the logits [..., n, V], from minus the gradients by each node's two log-probabilities [..., n].

    The latter's precision is the result's.
    """
    gradients_nv = logits_nv.softmax(-1, dtype=blanks_n.dtype).mul_((blanks_n + labels_n)[..., None])
    gradients_nv[..., BLANK] -= blanks_n
    return gradients_nv.scatter_add_(-1, next_labels_n[..., None], -labels_n[..., None])
