"""One shard of hypotheses from one shard of unlabeled features, whichever model recognises the words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch

from ssl_asr.frontend.stacking import stacked_length
from ssl_asr.hypotheses.content import UnlabeledRow, Words, own_places, shard_content
from ssl_asr.hypotheses.sets import HypothesisSet
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import features
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

BATCH_FRAMES = 6000  # 30 ms frames of a batch of the network, with padding


class WordsJob(ShardMaker):
    """Holds a model and its search; recognises and publishes shards. An actor keeps one job for its lifetime.

    The content of a shard depends on the shard alone. A degraded copy beside its clean recording is not recognised:
    its row stays empty, and whoever reads it takes the words of the recording. An utterance that can't be recognised
    is rejected, and its row has no words.
    """

    def __init__(self, recipe: Recipe, made: HypothesisSet) -> None:
        torch.set_num_threads(1)  # more cores run more actors, and sums are the same everywhere
        super().__init__(ShardStore(recipe.run, features.STORE), made.store)
        self._set, self._mel_bins = made, recipe.frontend.mel_bins

    @abstractmethod
    def recognise(self, heard: Sequence[FeatureRow]) -> tuple[dict[str, Words], list[Reject]]:
        """Words by utterance, and why others have none."""

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._set.parents(source)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the feature shard cannot be read."""
        slabs = [features.decode(table, self._mel_bins) for table in self.source.read_slabs(shard)]
        rows = [
            [UnlabeledRow(row.id, row.condition, stacked_length(len(row.frames))) for row in slab] for slab in slabs
        ]
        heard = [slab[place] for slab, mine in zip(slabs, rows, strict=True) for place in own_places(mine)]
        found, rejects = self.recognise(heard)
        return shard_content(rows, found, sorted(rejects, key=lambda reject: reject.id))


def rejected(name: str, why: object) -> Reject:
    return Reject(name, f"it can't be recognised: {why}")
