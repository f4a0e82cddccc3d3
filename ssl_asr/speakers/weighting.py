"""Weights of utterances in a loss: of an adversary, by true groups, or all 1.

The seam: an objective has a loss for each utterance and minimises the mean of weight times loss. A weighting sees the
losses and what is known of the utterances, and has parameters and buffers of its own, which a checkpoint keeps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ssl_asr.speakers.adversary import Adversary
from ssl_asr.training.sync.group import Group
from ssl_asr.training.sync.strategy import State


@dataclass(frozen=True)
class Seen:
    """Of the utterances of a batch: embeddings [n, d], losses [n] in nats, and true groups [n], -1 where unknown."""

    embeddings_nd: torch.Tensor
    losses_n: torch.Tensor
    groups_n: torch.Tensor


class Weighting(nn.Module, ABC):
    """`clusters` is the number of k-means regions of the embeddings that it wants to know; 0: none.

    `pairs` asks that pairs of utterances are weighted, each by the mean of its two weights.
    """

    clusters = 0
    pairs = False

    @abstractmethod
    def forward(self, seen: Seen) -> torch.Tensor:
        """Weights [n]; nothing flows back into what is seen."""

    def set_centres(self, centres_kd: torch.Tensor) -> None:
        """Takes the regions' centres; called before any weight is asked for where `clusters` is not 0."""

    def share(self, before: State, group: Group) -> None:
        """Makes buffers that the workers' batches have changed since `before` the same on all of them."""


class Uniform(Weighting):
    """All weights are 1: plain training."""

    def forward(self, seen: Seen) -> torch.Tensor:
        return torch.ones_like(seen.losses_n)


class GroupDro(Weighting):
    """Distributionally robust over true groups (Sagawa et al. 2020): a control that knows what adversaries must find.

    The published algorithm draws all groups equally often. Here batches draw speakers, and may lack a group. So a
    step multiplies the share of each group that is present by exp(`rate` x its mean loss / presence). Presence is the
    part of the batches so far that had the group: a rare group grows as fast as a frequent one of equal loss. Groups
    weigh share / presence, divided by the sum of these over the batch. So the mean weight is 1 where an utterance has
    a group. Utterances of no group have weight 0.
    """

    shares: torch.Tensor
    batches: torch.Tensor
    present: torch.Tensor
    shared_buffers = ("shares", "batches", "present")

    def __init__(self, groups: int, rate: float = 0.01) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("shares", torch.full((groups,), 1 / groups))
        self.register_buffer("batches", torch.zeros(()))
        self.register_buffer("present", torch.zeros(groups))

    @torch.no_grad()
    def forward(self, seen: Seen) -> torch.Tensor:
        member_gn = torch.arange(len(self.shares), device=seen.groups_n.device)[:, None] == seen.groups_n
        counts_g = member_gn.sum(1)
        means_g = (member_gn * seen.losses_n).sum(1) / counts_g.clamp(min=1)
        is_here_g = counts_g > 0
        self.batches += 1
        self.present += is_here_g
        presence_g = self.present.clamp(min=1) / self.batches
        logits_g = self.shares.log() + self.rate * means_g / presence_g
        self.shares.copy_(logits_g.softmax(0))
        parts_g = is_here_g * self.shares / presence_g
        parts_g = parts_g / parts_g.sum().clamp(min=torch.finfo(parts_g.dtype).tiny)
        return (member_gn * (parts_g * len(seen.losses_n) / counts_g.clamp(min=1))[:, None]).sum(0)

    @torch.no_grad()
    def share(self, before: State, group: Group) -> None:
        """Adds up the changes of all workers, so that each batch counts as if one worker had seen them all.

        Shares are multiplied by steps, so their logarithms add up. A change that is not finite is left out.
        """
        if group.size == 1:
            return  # its own sum, without the rounding
        count = len(self.shares)
        change = _additive(dict(self.named_buffers())) - _additive(before)
        total = group.sum_(change if change.isfinite().all() else torch.zeros_like(change))
        self.shares.copy_((_logs(before["shares"]) + total[:count]).softmax(0))
        self.batches.copy_(before["batches"] + total[count])
        self.present.copy_(before["present"] + total[count + 1 :])


def _logs(shares_g: torch.Tensor) -> torch.Tensor:
    return shares_g.clamp(min=torch.finfo(shares_g.dtype).tiny).log()


def _additive(state: State) -> torch.Tensor:
    """Of group-DRO's buffers what adds up, [groups + 1 + groups]."""
    return torch.cat([_logs(state["shares"]), state["batches"][None], state["present"]])


class Adversarial(Weighting):
    """An adversary that knows of an utterance its embedding, its k-means region (a pseudo-label), or both.

    The equations of Jin et al. (2022) are not published; these are three readings of their three forms:
    - accumulated pairwise similarity: embeddings alone; weights are those of utterances, whose loss is accumulated
      over all that they are compared with;
    - pseudo-labels: regions alone, so that utterances of a region share their weight;
    - pairwise weighting: embeddings and regions; weights are those of pairs.
    """

    centres: torch.Tensor
    shared_buffers = ("centres",)

    def __init__(self, dimensions: int, clusters: int, *, knows_embeddings: bool, pairs: bool) -> None:
        super().__init__()
        assert clusters or knows_embeddings, "an adversary knows something"
        self.clusters, self.pairs, self.knows_embeddings = clusters, pairs, knows_embeddings
        self.adversary = Adversary(clusters + (dimensions if knows_embeddings else 0))
        self.register_buffer("centres", torch.zeros(clusters, dimensions))

    def set_centres(self, centres_kd: torch.Tensor) -> None:
        self.centres.copy_(centres_kd)

    def forward(self, seen: Seen) -> torch.Tensor:
        known = [seen.embeddings_nd] if self.knows_embeddings else []
        if self.clusters:
            regions_n = torch.cdist(seen.embeddings_nd.detach(), self.centres).argmin(1)
            known.append(functional.one_hot(regions_n, self.clusters).to(seen.embeddings_nd.dtype))
        weights_n: torch.Tensor = self.adversary(torch.cat(known, 1))
        return weights_n
