"""One shard of hypotheses from the words of another recogniser: the driver does it, for it only copies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssl_asr.frontend.stacking import stacked_length
from ssl_asr.hypotheses.content import UnlabeledRow, Words, own_places, shard_content
from ssl_asr.hypotheses.outside import OutsideWord, words_within
from ssl_asr.hypotheses.sets import HypothesisSet
from ssl_asr.lang.language import language_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_stage import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import features
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore


class OutsideJob(ShardMaker):
    """Publishes shards of the words `written` by utterance. One that has none there has an empty row."""

    def __init__(self, recipe: Recipe, made: HypothesisSet, written: Mapping[str, Sequence[OutsideWord]]) -> None:
        super().__init__(ShardStore(recipe.run, features.STORE), made.store)
        self._set, self._written = made, written
        self._alphabet = language_of(recipe.hmm.lexicon).alphabet

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._set.parents(source)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the feature shard cannot be read."""
        slabs = [
            [
                UnlabeledRow(row["id"], row["condition"], stacked_length(row["num_frames"]))
                for row in table.to_pylist()
            ]
            for table in self.source.read_slabs(shard, ["id", "condition", "num_frames"])
        ]
        found: dict[str, Words] = {}
        rejects: list[Reject] = []
        for row in (slab[place] for slab in slabs for place in own_places(slab)):
            if (written := self._written.get(row.id)) is None:
                continue
            try:
                found[row.id] = words_within(written, row.num_frames, self._alphabet)
            except ValueError as error:
                rejects.append(Reject(row.id, str(error)))
        return shard_content(slabs, found, rejects)
