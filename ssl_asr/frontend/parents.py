"""What the features of a manifest shard are made from, but for the prior."""

from __future__ import annotations

from ssl_asr.corpus.augment.banks import banks_checksum
from ssl_asr.corpus.augment.noise import bank_use
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import non_defaults
from ssl_asr.runtime.shard_maker import SourceShard

VERSION = "2"  # raise where equal inputs give other features
# Of a manifest shard: how many of its utterances are degraded, and how many of these by recorded noise.
STATISTICS = ("degraded", "noisy")


class FeatureParents:
    """The manifest shard, the front end's fields and, only where it matters, the noise."""

    def __init__(self, recipe: Recipe) -> None:
        self.frontend = {"version": VERSION, **non_defaults(recipe, "features")}
        self.degradation = non_defaults(recipe, "noise")
        self._run = recipe.run
        self._banks: dict[str, str] = {}

    def __call__(self, source: SourceShard) -> dict[str, str]:
        parents = {"manifest": source.checksum, **self.frontend}
        if source.statistics["degraded"]:
            parents |= self.degradation
        if source.statistics["noisy"]:
            parents["noise"] = self._noise(source.shard.split)
        return parents

    def _noise(self, split: str) -> str:
        """Read for noisy shards alone: the banks are megabytes."""
        use = bank_use(split)
        if use not in self._banks:
            self._banks[use] = banks_checksum(self._run, use)
        return self._banks[use]
