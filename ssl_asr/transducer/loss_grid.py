"""Forward-backward over the grid of a transducer: the probability of a text, and of the steps of its alignments.

Graves, "Sequence transduction with recurrent neural networks" (2012), section 2.4. At node (t, u) of the grid, the
network has heard frame t and put out u labels. From there, blank leads to (t + 1, u), and label u + 1 to (t, u + 1).
An alignment begins at (0, 0) and ends with the blank of (T - 1, U). Nodes of an anti-diagonal t + u follow from those
of the one before, so all of them are calculated at once. Storage is skewed: an anti-diagonal is one piece of memory
(Bagby, Rao and Sim, "Efficient implementation of recurrent neural network transducer in TensorFlow", 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

_NEVER = -torch.inf


@dataclass(frozen=True)
class Occupancies:
    """Log-likelihoods of texts in nats [B], over all their alignments, and occupancies [B, T, U + 1]; all float64.

    `blanks_btu` and `labels_btu` are the probabilities that an alignment of the text leaves node (t, u) by blank, and
    by label u + 1. The former sum to 1 in every frame, the latter for every label. They are 0 in padding, and also
    everywhere if no alignment is possible: then the log-likelihood is -inf.
    """

    log_likelihoods_b: torch.Tensor
    blanks_btu: torch.Tensor
    labels_btu: torch.Tensor


@torch.no_grad()
def forward_backward(
    blanks_btu: torch.Tensor, labels_btu: torch.Tensor, frames_b: torch.Tensor, label_counts_b: torch.Tensor
) -> Occupancies:
    """`blanks_btu` and `labels_btu` [B, T, U + 1] are log-probabilities of blank and of the next label at each node.

    Utterances have `frames_b` >= 1 frames and `label_counts_b` >= 0 labels, int64 on the same device. Padding may
    hold anything. Sums are in float64, which costs nothing here: log-likelihoods go to -1000, and occupancies, which
    are made of their differences, would be right to three digits in float32.
    """
    frames, counts = frames_b[:, None, None], label_counts_b[:, None, None]
    times = torch.arange(blanks_btu.shape[1], device=blanks_btu.device)[:, None]
    positions = torch.arange(blanks_btu.shape[2], device=blanks_btu.device)
    inside = (times < frames) & (positions <= counts)
    blanks = blanks_btu.double().masked_fill(~inside, _NEVER)
    labels = labels_btu.double().masked_fill(~inside | (positions == counts), _NEVER)
    forward_nub, backward_nub = _sums(blanks, labels, frames_b, label_counts_b)

    rows = torch.arange(len(blanks), device=blanks.device)[:, None, None]
    alphas = forward_nub[times + positions, positions + 1, rows]
    # Node (t, u) is (T - 1 - t, U - u) of the backward grid.
    after = (frames + counts - 2 - times - positions).clamp(min=0)
    after_blank = backward_nub[after, (counts - positions + 1).clamp(min=0), rows]
    after_blank = after_blank.masked_fill((times == frames - 1) & (positions == counts), 0.0)
    after_label = backward_nub[after, (counts - positions).clamp(min=0), rows]
    totals = backward_nub[frames + counts - 1, counts + 1, rows]
    possible = inside & (totals != _NEVER)
    return Occupancies(
        totals[:, 0, 0],
        (alphas + blanks + after_blank - totals).exp().masked_fill(~possible, 0.0),
        (alphas + labels + after_label - totals).exp().masked_fill(~possible, 0.0),
    )


def _sums(
    blanks_btu: torch.Tensor, labels_btu: torch.Tensor, frames_b: torch.Tensor, counts_b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Forward and backward log-probabilities of nodes, each [anti-diagonals, U + 2, B].

    Node (t, u) of the forward grid lies at [t + u, u + 1]; column 0 is out of reach. The backward grid is turned
    round, so that all utterances begin on its first anti-diagonal, and both grids are one recursion. No path from the
    first node to what is inside an utterance's grid leads over what is outside, so nothing is masked here.
    """
    size, num_frames, num_positions = blanks_btu.shape
    device = blanks_btu.device
    rows = torch.arange(size, device=device)
    positions = torch.arange(num_positions, device=device)[:, None]
    times = torch.arange(1, num_frames + num_positions - 1, device=device)[:, None, None] - positions

    def nodes(at_times: torch.Tensor, at_positions: torch.Tensor) -> torch.Tensor:
        at_frames = rows * num_frames + at_times.clamp(0, num_frames - 1)
        return at_frames * num_positions + at_positions.clamp(0, num_positions - 1)

    # What leads to a node: forward, steps from the two nodes before it; backward, its own two steps.
    turned = nodes(frames_b - 1 - times, counts_b - positions)
    by_blank = torch.cat([blanks_btu.take(nodes(times - 1, positions)), blanks_btu.take(turned)], 2)
    by_label = torch.cat([labels_btu.take(nodes(times, positions - 1)), labels_btu.take(turned)], 2)
    sums = blanks_btu.new_full((num_frames + num_positions - 1, num_positions + 1, 2 * size), _NEVER)
    sums[0, 1, :size] = 0.0
    sums[0, 1, size:] = blanks_btu[rows, frames_b - 1, counts_b]
    steps = zip(sums[:-1, 1:], by_blank, sums[:-1, :-1], by_label, sums[1:, 1:], strict=True)
    for same, blank, shorter, label, here in steps:
        torch.logaddexp(same + blank, shorter + label, out=here)
    return sums[:, :, :size], sums[:, :, size:]
