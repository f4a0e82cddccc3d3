"""One shard of features from one shard of the manifest: what an actor of the front end does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from ssl_asr.corpus.audio_places import files_behind
from ssl_asr.frontend.extract import ExtractedUtterance, Extractor
from ssl_asr.frontend.parents import STATISTICS, FeatureParents
from ssl_asr.frontend.prior import Prior
from ssl_asr.frontend.refused import noted_files
from ssl_asr.frontend.statistics import NORMALISED_BY, sums_of
from ssl_asr.frontend.streams import normalise
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import features, utterance
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.index_columns import REFUSED
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance


class FeatureJob(ShardMaker):
    """Makes the features of a shard; utterances that cannot be used are rejected, with reasons."""

    def __init__(self, recipe: Recipe, prior: Prior, again: Collection[Shard] = ()) -> None:
        """The shards `again` are made even where they are there."""
        source, store = ShardStore(recipe.run, utterance.STORE), ShardStore(recipe.run, features.STORE)
        super().__init__(source, store, STATISTICS)
        self.recipe, self.prior, self.again = recipe, prior, again
        self._parents = FeatureParents(recipe)

    def parents(self, source: SourceShard) -> dict[str, str]:
        return {**self._parents(source), "prior": self.prior.id}

    def is_done(self, shard: Shard, parents: Inputs) -> bool:
        return shard not in self.again and super().is_done(shard, parents)

    @cached_property
    def _extractors(self) -> dict[str, Extractor]:
        """By split; kept from shard to shard, because each may hold a loaded noise bank."""
        return {split: Extractor(self.recipe, split) for split in utterance.SPLITS}

    def make(self, shard: Shard) -> ShardContent:
        """ValueError where the manifest shard itself cannot be read."""
        slabs = [utterance.decode(slab) for slab in self.source.read_slabs(shard)]
        utterances = [item for slab in slabs for item in slab]
        extracted, rejects, statistics = _extracted(self._extractors[shard.split], utterances)
        extracted = normalise(extracted, self.prior.array(), self.prior.level, self.recipe.frontend)
        return self._content(shard, _rows(slabs, extracted), rejects, statistics)

    def _content(
        self, shard: Shard, slabs: list[list[FeatureRow]], rejects: list[Reject], statistics: Mapping[str, Any]
    ) -> ShardContent:
        bins, bits = self.recipe.frontend.mel_bins, self.recipe.frontend.feature_bits
        counts = [sum(len(row.frames) for row in slab) for slab in slabs]
        tables = [features.encode(slab, bits) for slab in slabs]
        if shard.split == NORMALISED_BY:  # of what readers will hear
            heard = (row.frames for table in tables for row in features.decode(table, bins))
            statistics = {**statistics, **sums_of(heard, bins).to_statistics()}
        return ShardContent(
            features.SCHEMAS[bits],
            tables,
            counts,
            seconds=sum(counts) * features.FRAME_SECONDS,
            metadata={"mel_bins": str(bins), "frame_seconds": str(features.FRAME_SECONDS)},
            column_encoding=features.COLUMN_ENCODING.get(bits),
            unbounded=features.COLUMN_ENCODING.get(bits, ()),
            statistics=statistics,
            rejects=rejects,
        )


def _extracted(
    extractor: Extractor, utterances: Sequence[Utterance]
) -> tuple[list[ExtractedUtterance], list[Reject], dict[str, Any]]:
    """Frames of the usable utterances, and the rejects, with a statistic of what their files were.

    What is rejected is tried again once its files were looked at: what is mended meanwhile is then used, or seen.
    """
    extracted, rejects = extractor.all_frames(utterances)
    if not rejects:
        return extracted, rejects, {}
    refused = {reject.id for reject in rejects}
    again = [item for item in utterances if item.id in refused]
    noted = noted_files(again)
    more, rejects = extractor.all_frames(again)
    refused = {reject.id for reject in rejects}
    found = {each.utterance.id: each for each in (*extracted, *more)}
    files = {file for item in again if item.id in refused for file in files_behind(item.audio)}
    statistics = {REFUSED: {file: noted[file] for file in files}} if rejects else {}
    return [found[item.id] for item in utterances if item.id in found], rejects, statistics


def _rows(slabs: Sequence[Sequence[Utterance]], extracted: Sequence[ExtractedUtterance]) -> list[list[FeatureRow]]:
    """The usable utterances, in half precision, in the slabs of the manifest; a slab without any is left out."""
    frames = {item.utterance.id: item.frames.astype("<f2") for item in extracted}
    kept = [[item for item in slab if item.id in frames] for slab in slabs]
    return [
        [FeatureRow(item.id, item.speaker, item.condition, frames[item.id]) for item in slab] for slab in kept if slab
    ]
