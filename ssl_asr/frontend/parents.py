"""What the features of a manifest shard are made from, but for the prior."""

from __future__ import annotations

from ssl_asr.corpus.augment.banks import banks_checksum
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import choices
from ssl_asr.runtime.shard_stage import SourceShard
from ssl_asr.store import utterance

VERSION = "1"  # raise where equal inputs give other features
# Of a manifest shard: how many of its utterances are degraded, and how many of these by recorded noise.
STATISTICS = ("degraded", "noisy")


class FeatureParents:
    """The manifest shard, the front end's fields and, only where it matters, the noise."""

    def __init__(self, recipe: Recipe) -> None:
        self.frontend = {"version": VERSION, **choices(recipe, "features")}
        self.degradation = choices(recipe, "noise")
        self.noise = {split: banks_checksum(recipe.run, split) for split in utterance.SPLITS}

    def __call__(self, source: SourceShard) -> dict[str, str]:
        parents = {"manifest": source.checksum, **self.frontend}
        if source.statistics["degraded"]:
            parents |= self.degradation
        if source.statistics["noisy"]:
            parents["noise"] = self.noise[source.shard.split]
        return parents
