"""One shard of alignments by a network, from one shard of those before: what an actor of the realign stage does."""

from __future__ import annotations

from functools import cached_property

from threadpoolctl import threadpool_limits

from ssl_asr.hmm.chunks import manifest
from ssl_asr.hmm.network_aligner import NetworkAligner, Scores
from ssl_asr.hmm.recordings import Alignment, Recordings, shard_content
from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.lang.lexicon import Lexicon, read_lexicon, read_unlabeled_lexicon
from ssl_asr.runtime.shard_stage import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import alignments, features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

VERSION = "1"  # raise where equal inputs give other alignments


class RealignParents:
    """What the network of this id makes from a shard of alignments; the features are those of today."""

    def __init__(self, run: str, model: str) -> None:
        self._store, self._model = ShardStore(run, features.STORE), model
        self._checksums: dict[str, dict[int, str]] = {}

    def __call__(self, source: SourceShard) -> dict[str, str]:
        split = source.shard.split
        if split not in self._checksums:
            index = self._store.index(split)
            checksums = index.column("checksum").tolist()
            self._checksums[split] = dict(zip(index.numbers.tolist(), checksums, strict=True))
        return {
            "realign version": VERSION,
            "features": self._checksums[split].get(source.shard.number, ""),
            "alignments": source.checksum,
            "model": self._model,
        }


class RealignJob(ShardMaker):
    """`before` names the alignments to replace; `after` has the id of the network that `scores` come from."""

    def __init__(self, run: str, mel_bins: int, before: SenoneSet, after: SenoneSet, scores: Scores) -> None:
        source, store = (ShardStore(run, alignments.store_name(each.alignment_set)) for each in (before, after))
        super().__init__(source, store)
        self.run, self.mel_bins, self.senones, self.scores = run, mel_bins, after, scores
        self.features = ShardStore(run, features.STORE)
        self._parents = RealignParents(run, after.realigned_by)

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._parents(source)

    @cached_property
    def lexicon(self) -> Lexicon:
        return read_lexicon(self.run)

    @cached_property
    def unlabeled_lexicon(self) -> Lexicon:
        return read_unlabeled_lexicon(self.run)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if a shard of features or alignments cannot be read."""
        slabs = [features.decode(slab, self.mel_bins) for slab in self.features.read_slabs(shard)]
        before: dict[str, Alignment] = {}
        for table in self.source.read_slabs(shard):
            rows = zip(alignments.decode(table).items(), alignments.decode_confidences(table), strict=True)
            before |= {name: Alignment(senones, confidence) for (name, senones), confidence in rows}
        spoken = manifest(self.run, shard)
        lexicon = self.unlabeled_lexicon if shard.split == "unlabeled" else self.lexicon
        with threadpool_limits(1):
            aligner = NetworkAligner(self.scores, self.senones.table, lexicon, spoken, before)
            recordings = Recordings(aligner, spoken, [row for slab in slabs for row in slab])
            return shard_content(recordings, slabs, self.senones.alignment_set, self.senones.size)
