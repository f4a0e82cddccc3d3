"""One shard of features from one shard of the manifest: what an actor of the front end does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ssl_asr.frontend.extract import ExtractedUtterance, Extractor, subtract_means
from ssl_asr.frontend.prior import Prior
from ssl_asr.frontend.statistics import TRAIN_SPLITS, sums_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance


def feature_parents(recipe: Recipe, source: LedgerEntry, prior: Prior) -> dict[str, str]:
    """What the features of the manifest shard `source` are made from."""
    return {"manifest": source.checksum, "recipe": recipe.key("corpus", "frontend"), "prior": prior.id}


@dataclass(frozen=True)
class FeatureJob:
    """Makes and publishes the features of a shard; utterances that cannot be used are rejected, with reasons."""

    recipe: Recipe
    prior: Prior

    @cached_property
    def _extractors(self) -> dict[str, Extractor]:
        """By split; kept from shard to shard, as each holds a noise bank once it has needed one."""
        return {split: Extractor(self.recipe, split) for split in utterance.SPLITS}

    def __call__(self, shard: Shard) -> None:
        """ValueError where the manifest shard itself cannot be read."""
        manifest = ShardStore(self.recipe.run, utterance.STORE)
        source = manifest.entry(shard)
        assert source is not None, "the stage lists finished shards"
        slabs = [utterance.decode(slab) for slab in manifest.read_slabs(shard)]
        heard, rejects = self._extractors[shard.split].all_frames(item for slab in slabs for item in slab)
        heard = subtract_means(heard, self.prior.array(), self.recipe.frontend)
        self._publish(source, _rows(slabs, heard), rejects)

    def _publish(self, source: LedgerEntry, slabs: list[list[FeatureRow]], rejects: list[Reject]) -> None:
        bins, bits = self.recipe.frontend.mel_bins, self.recipe.frontend.feature_bits
        counts = [sum(len(row.frames) for row in slab) for slab in slabs]
        statistics = {}
        if source.shard.split in TRAIN_SPLITS:
            statistics = sums_of((row.frames for slab in slabs for row in slab), bins).to_statistics()
        ShardStore(self.recipe.run, features.STORE).publish(
            source.shard,
            features.SCHEMAS[bits],
            [features.encode(slab, bits) for slab in slabs],
            counts,
            seconds=sum(counts) * features.FRAME_SECONDS,
            parents=feature_parents(self.recipe, source, self.prior),
            metadata={"mel_bins": str(bins), "frame_seconds": str(features.FRAME_SECONDS)},
            statistics=statistics,
            rejects=rejects,
        )


def _rows(slabs: Sequence[Sequence[Utterance]], heard: Sequence[ExtractedUtterance]) -> list[list[FeatureRow]]:
    """The usable utterances, in half precision, in the slabs of the manifest; a slab without any is left out."""
    frames = {item.utterance.id: item.frames.astype("<f2") for item in heard}
    kept = [[item for item in slab if item.id in frames] for slab in slabs]
    return [
        [FeatureRow(item.id, item.speaker, item.condition, frames[item.id]) for item in slab] for slab in kept if slab
    ]
