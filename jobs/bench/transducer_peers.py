"""The transducer loss by plain autograd, for the benchmark `transducer_loss`: Graves's recursion (2012).

Losses are summed over a batch [B, T, U + 1, V] whose utterances are equally long.
"""

from __future__ import annotations

import torch

_NEVER = -1e30  # autograd has no gradient for the sum of two probabilities that are 0


def node_by_node(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """One node of every utterance at a time."""
    blanks, following = (each.unbind(1) for each in log_probabilities(logits, labels))
    alphas: list[torch.Tensor] = []
    for t in range(logits.shape[1]):
        row = [alphas[0] + blanks[t - 1][:, 0]] if t else [logits.new_zeros(len(labels))]
        for u in range(1, labels.shape[1] + 1):
            by_label = row[u - 1] + following[t][:, u - 1]
            row.append(torch.logaddexp(alphas[u] + blanks[t - 1][:, u], by_label) if t else by_label)
        alphas = row
    return -(alphas[-1] + blanks[-1][:, -1]).sum()


def by_diagonals(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """All nodes of an anti-diagonal at once."""
    blanks, following = log_probabilities(logits, labels)
    num_frames, num_labels = following.shape[1:]
    positions = torch.arange(num_labels + 1)
    times = (torch.arange(num_frames + num_labels - 1)[:, None] - positions).clamp(0, num_frames - 1)
    stay = blanks[:, times, positions].unbind(1)
    move = following[:, times[:, :-1], positions[:-1]].unbind(1)
    start = logits.new_full((len(labels), num_labels + 1), _NEVER)
    start[:, 0] = 0.0
    alphas, never = start, start[:, 1:2]
    for blank, label in zip(stay, move, strict=True):
        alphas = torch.logaddexp(alphas + blank, torch.cat([never, alphas[:, :-1] + label], 1))
    return -(alphas[:, -1] + blanks[:, -1, -1]).sum()


def log_probabilities(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of blank [B, T, U + 1] and of the next label [B, T, U]."""
    logs = logits.log_softmax(3)
    index = labels[:, None, :, None].expand(-1, logits.shape[1], -1, 1)
    return logs[..., 0], logs[:, :, :-1].gather(3, index)[..., 0]
