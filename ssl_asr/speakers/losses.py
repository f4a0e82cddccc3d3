"""Metric-learning losses of speaker embeddings, unreduced: so that utterances or pairs of them can have weights."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

_LEAST_SCALE = 1e-6


def ge2e_losses(embeddings_smd: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Nats [speakers, utterances]: generalised end-to-end loss, softmax form (Wan et al. 2018, eq. 5, 6, 8 and 9).

    `embeddings_smd` [speakers, utterances, d] have length 1, with two utterances a speaker or more. An utterance's
    similarity to a speaker is `scale` times the cosine to the mean of that speaker's utterances plus `shift`; to its
    own speaker, without itself. The scale is kept above zero.
    """
    speakers, utterances, _ = embeddings_smd.shape
    sums_sd = embeddings_smd.sum(1)
    others_smd = functional.normalize(sums_sd[:, None] - embeddings_smd, dim=2)
    centroids_sd = functional.normalize(sums_sd, dim=1)
    cosines_smt = embeddings_smd @ centroids_sd.T
    own_sm = (embeddings_smd * others_smd).sum(2)
    is_own_s1t = torch.eye(speakers, dtype=torch.bool, device=embeddings_smd.device)[:, None]
    similarities = scale.clamp(min=_LEAST_SCALE) * torch.where(is_own_s1t, own_sm[:, :, None], cosines_smt) + shift
    truth_n = torch.arange(speakers, device=embeddings_smd.device).repeat_interleave(utterances)
    losses_n = functional.cross_entropy(similarities.flatten(0, 1), truth_n, reduction="none")
    return losses_n.view(speakers, utterances)


def pair_losses(embeddings_smd: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Nats [n, n] of each pair of one speaker's utterances, n = speakers x utterances; zero for all other pairs.

    The supervised contrastive loss before its means (Khosla et al. 2020, eq. 2): the negative log softmax, over all
    utterances but i, of `scale` times the cosine of i and j.
    """
    speakers, utterances, width = embeddings_smd.shape
    flat_nd = embeddings_smd.reshape(-1, width)
    logits_nn = scale.clamp(min=_LEAST_SCALE) * flat_nd @ flat_nd.T
    itself_nn = torch.eye(len(flat_nd), dtype=torch.bool, device=flat_nd.device)
    log_probs_nn = logits_nn - logits_nn.masked_fill(itself_nn, -torch.inf).logsumexp(1, keepdim=True)
    return torch.where(same_speaker(speakers, utterances, flat_nd.device), -log_probs_nn, 0)


def angular_margin_losses(
    embeddings_nd: torch.Tensor, centres_sd: torch.Tensor, truth_n: torch.Tensor, margin: float, scale: float
) -> torch.Tensor:
    """Nats [n]: additive angular margin softmax (Deng et al. 2019, eq. 3) over s speakers of given centres.

    `embeddings_nd` have length 1, centres any. An utterance's logits are `scale` times the cosines to the centres;
    that of its own speaker, `truth_n`, is taken at an angle larger by `margin`. Where the sum would be above pi, and
    its cosine rise again, it is the cosine less margin sin(margin), as in the authors' code.
    """
    cosines_ns = embeddings_nd @ functional.normalize(centres_sd, dim=1).T
    own_n1 = cosines_ns.gather(1, truth_n[:, None])
    sines_n1 = (1 - own_n1.square()).clamp(min=_LEAST_SCALE).sqrt()
    shifted_n1 = own_n1 * math.cos(margin) - sines_n1 * math.sin(margin)
    within_n1 = own_n1 > -math.cos(margin)
    shifted_n1 = torch.where(within_n1, shifted_n1, own_n1 - margin * math.sin(margin))
    return functional.cross_entropy(
        scale * cosines_ns.scatter(1, truth_n[:, None], shifted_n1), truth_n, reduction="none"
    )


def same_speaker(speakers: int, utterances: int, device: torch.device) -> torch.Tensor:
    """[n, n]: the pairs of two utterances of one speaker."""
    numbers_n = torch.arange(speakers, device=device).repeat_interleave(utterances)
    itself_nn = torch.eye(len(numbers_n), dtype=torch.bool, device=device)
    return (numbers_n[:, None] == numbers_n) & ~itself_nn


def accumulated(pairs_nn: torch.Tensor, utterances: int) -> torch.Tensor:
    """Each utterance's mean loss [n] over its pairs, of which it has `utterances` - 1."""
    return pairs_nn.sum(1) / (utterances - 1)


def weighted_mean(losses_n: torch.Tensor, weights_n: torch.Tensor) -> torch.Tensor:
    """Mean over utterances of weight times loss; any objective with a loss for each utterance can be weighted so."""
    return (weights_n * losses_n).mean()


def pair_weighted_mean(pairs_nn: torch.Tensor, weights_n: torch.Tensor, utterances: int) -> torch.Tensor:
    """Mean over the pairs of a speaker, each weighted by the mean of its two utterances' weights.

    Jin et al. (2022) have the sum; the mean keeps the loss as large as that of equal weights of 1.
    """
    return ((weights_n[:, None] + weights_n) / 2 * pairs_nn).sum() / (len(weights_n) * (utterances - 1))
