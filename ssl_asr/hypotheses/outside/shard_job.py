"""One shard of hypotheses from the words of another recogniser."""

from __future__ import annotations

from ssl_asr.frontend.stacking import stacked_length
from ssl_asr.hypotheses.content import UnlabeledRow, Words, own_places, shard_content
from ssl_asr.hypotheses.outside.groups import ShardGroups
from ssl_asr.hypotheses.outside.words import OutsideWord, words_by_id, words_within
from ssl_asr.hypotheses.sets import HypothesisSet
from ssl_asr.lang.language import language_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import features, layout
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.partitions import partition_store, read_partition
from ssl_asr.store.shards import ShardStore


class OutsideJob(ShardMaker):
    """Publishes shards of the words that `Exchange.group` has left. An utterance that has none has an empty row."""

    def __init__(self, recipe: Recipe, made: HypothesisSet, groups: ShardGroups) -> None:
        super().__init__(ShardStore(recipe.run, features.STORE), made.store)
        self._set, self._groups = made, groups
        self._words = partition_store(recipe.run, layout.SHARD_WORDS)
        self._alphabet = language_of(recipe.hmm.lexicon).alphabet

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._set.parents(source)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the feature shard, or what was left for it, cannot be read."""
        slabs = [
            [
                UnlabeledRow(row["id"], row["condition"], stacked_length(row["num_frames"]))
                for row in table.to_pylist()
            ]
            for table in self.source.read_slabs(shard, ["id", "condition", "num_frames"])
        ]
        found: dict[str, Words] = {}
        rejects: list[Reject] = []
        all_written = self._written(shard)
        for row in (slab[place] for slab in slabs for place in own_places(slab)):
            if (written := all_written.get(row.id)) is None:
                continue
            try:
                found[row.id] = words_within(written, row.num_frames, self._alphabet)
            except ValueError as error:
                rejects.append(Reject(row.id, str(error)))
        return shard_content(slabs, found, rejects)

    def _written(self, shard: Shard) -> dict[str, tuple[OutsideWord, ...]]:
        group, place = divmod(self._groups.place(shard.number), self._groups.size)
        return words_by_id(read_partition(self._words, Shard(shard.split, group), place))
