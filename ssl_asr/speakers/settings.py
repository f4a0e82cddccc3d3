"""How an extractor is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ssl_asr.speakers.batches import BatchShape
from ssl_asr.speakers.extractor import Pooling
from ssl_asr.speakers.weighting import Adversarial, GroupDro, Uniform, Weighting

LossName = Literal["ge2e", "pairs", "aam"]
Reweighting = Literal["none", "groups", "similarity", "clusters", "pairs"]
LOSSES: tuple[LossName, ...] = get_args(LossName)
REWEIGHTINGS: tuple[Reweighting, ...] = get_args(Reweighting)


@dataclass(frozen=True)
class TrainingSettings:
    """`pretrain_steps` have equal weights; `clusters` regions are found anew every `refresh_steps` after them.

    Adam at 1e-3 for extractor and adversary, as in published ARL code; gradients of the extractor are clipped at norm
    3 (Wan et al. 2018).
    """

    loss: LossName = "ge2e"
    reweighting: Reweighting = "none"
    layers: int = 2
    units: int = 128
    dimensions: int = 64
    pooling: Pooling = "mean"
    shape: BatchShape = field(default_factory=BatchShape)
    steps: int = 1000
    pretrain_steps: int = 250
    clusters: int = 8
    refresh_steps: int = 100
    learning_rate: float = 1e-3
    clip_norm: float = 3.0
    seed: int = 1


def has_regions(settings: TrainingSettings) -> bool:
    """Whether weights depend on k-means regions of the embeddings."""
    return settings.reweighting in ("clusters", "pairs")


def check_settings(settings: TrainingSettings, groups: int) -> None:
    """ValueError where weights can't be had; `groups` is the number of true ones."""
    if settings.reweighting == "pairs" and settings.loss != "pairs":
        raise ValueError(
            f"--reweighting pairs weighs pairs, which --loss {settings.loss} has none of; give --loss pairs"
        )
    if settings.reweighting == "groups" and groups < 2:
        raise ValueError(
            f"--reweighting groups needs two groups of training speech, and there "
            f"{'is one' if groups else 'is none'}; name with --groups a tag that has two values or more"
        )


def build_weighting(settings: TrainingSettings, groups: int) -> Weighting:
    """By the name of the reweighting."""
    dimensions, clusters = settings.dimensions, settings.clusters
    if settings.reweighting == "none":
        return Uniform()
    if settings.reweighting == "groups":
        return GroupDro(groups)
    if settings.reweighting == "similarity":
        return Adversarial(dimensions, 0, knows_embeddings=True, pairs=False)
    if settings.reweighting == "clusters":
        return Adversarial(dimensions, clusters, knows_embeddings=False, pairs=False)
    return Adversarial(dimensions, clusters, knows_embeddings=True, pairs=True)
