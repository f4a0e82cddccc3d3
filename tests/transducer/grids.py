"""Made-up batches for the transducer loss, and the same loss by slow and obvious means."""

import itertools

import numpy as np
import torch

FRAMES, COUNTS = (4, 1, 3, 5, 1), (2, 3, 0, 1, 0)


def log_probabilities(seed=0, frames=FRAMES, counts=COUNTS):
    """Of blanks and labels [B, T, U + 1], with no number as padding, and lengths."""
    generator = torch.Generator().manual_seed(seed)
    shape = (2, len(frames), max(frames) + 1, max(counts) + 2)
    blanks, labels = torch.randn(shape, generator=generator, dtype=torch.float64) - 1.5
    for row, (length, count) in enumerate(zip(frames, counts, strict=True)):
        blanks[row, length:], labels[row, length:] = torch.nan, torch.nan
        blanks[row, :, count + 1 :], labels[row, :, count:] = torch.nan, torch.nan
    return blanks, labels, torch.tensor(frames), torch.tensor(counts)


def made_up(frames=FRAMES, counts=COUNTS, outputs=5, seed=0, padding=0.0):
    """Logits [B, T, U + 1, V], labels [B, U] with -1 as padding, and lengths."""
    generator = torch.Generator().manual_seed(seed)
    size, longest, most = len(frames), max(frames) + 1, max(counts) + 1
    logits = 2 * torch.randn(size, longest, most + 1, outputs, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, outputs, (size, most), generator=generator)
    for row, (length, count) in enumerate(zip(frames, counts, strict=True)):
        logits[row, length:], logits[row, :, count + 1 :], labels[row, count:] = padding, padding, -1
    return logits.requires_grad_(), labels, torch.tensor(frames), torch.tensor(counts)


def alignments(frames, count):
    """Each a list of (frame, labels so far, whether blank follows)."""
    for places in itertools.combinations(range(frames - 1 + count), count):
        at, so_far, steps = 0, 0, []
        for step in range(frames - 1 + count):
            steps.append((at, so_far, step not in places))
            at, so_far = (at, so_far + 1) if step in places else (at + 1, so_far)
        yield [*steps, (at, so_far, True)]


def enumerated(blanks_tu, labels_tu, frames, count):
    """Log-likelihood and occupancies of one utterance, from its alignments one by one."""
    each = list(alignments(frames, count))
    logs = np.array([sum((blanks_tu if blank else labels_tu)[t, u].item() for t, u, blank in way) for way in each])
    total = np.logaddexp.reduce(logs)
    blank_shares, label_shares = np.zeros(blanks_tu.shape), np.zeros(blanks_tu.shape)
    for way, log in zip(each, logs, strict=True):
        for t, u, blank in way:
            (blank_shares if blank else label_shares)[t, u] += np.exp(log - total)
    return total, blank_shares, label_shares


def at_nodes(logits, labels):
    """Log-probabilities of blank and of the next label [B, T, U + 1], for autograd."""
    logs = logits.log_softmax(3)
    following = torch.nn.functional.pad(labels.clamp(min=0), (0, 1))[:, None, :, None]
    return logs[..., 0], logs.gather(3, following.expand(*logs.shape[:3], 1))[..., 0]


def by_recursion(blanks, labels, frames, counts):
    """Losses by Graves's recursion, node by node, for autograd."""
    losses = []
    for row, (length, count) in enumerate(zip(frames.tolist(), counts.tolist(), strict=True)):
        alphas = {(0, 0): blanks.new_zeros(())}
        for t, u in itertools.product(range(length), range(count + 1)):
            into = [alphas[t - 1, u] + blanks[row, t - 1, u]] if t else []
            into += [alphas[t, u - 1] + labels[row, t, u - 1]] if u else []
            if into:
                alphas[t, u] = torch.stack(into).logsumexp(0)
        losses.append(-alphas[length - 1, count] - blanks[row, length - 1, count])
    return torch.stack(losses)


def gradients(losses, leaves):
    """Of a sum in which utterances weigh differently."""
    weights = torch.arange(1, len(losses) + 1, dtype=losses.dtype) / 2
    return torch.autograd.grad(losses @ weights, leaves)
