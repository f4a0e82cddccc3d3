"""One shard of alignments by a network, from one shard of those before: what an actor of the realign stage does."""

from __future__ import annotations

from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from ssl_asr.hmm.aligned_set import aligned_store
from ssl_asr.hmm.chunks import manifest
from ssl_asr.hmm.network_aligner import NetworkAligner, Scores
from ssl_asr.hmm.recordings import Alignment, Recordings, shard_content
from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.lang.lexicon import RunLexicons
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import alignments, features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

VERSION = "2"  # raise where equal inputs give other alignments


@dataclass(frozen=True)
class Round:
    """A network aligns again what `before` names; `after` names what it makes, and the network."""

    run: str
    before: SenoneSet
    after: SenoneSet

    @property
    def source(self) -> ShardStore:
        return aligned_store(self.run, self.before)

    @property
    def store(self) -> ShardStore:
        return aligned_store(self.run, self.after)

    @property
    def parents(self) -> RealignParents:
        return RealignParents(self.run, self.after.realigned_by)


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
    """A shard of a round, by the `scores` of its network."""

    def __init__(self, made: Round, scores: Scores, *, mel_bins: int) -> None:
        super().__init__(made.source, made.store)
        self.run, self.senones, self.scores, self.mel_bins = made.run, made.after, scores, mel_bins
        self.features = ShardStore(made.run, features.STORE)
        self.lexicons, self._parents = RunLexicons(made.run), made.parents

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._parents(source)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if a shard of features or alignments cannot be read, or as `scores`."""
        slabs = [features.decode(slab, self.mel_bins) for slab in self.features.read_slabs(shard)]
        rows, spoken = [row for slab in slabs for row in slab], manifest(self.run, shard)
        with threadpool_limits(1):
            aligner = NetworkAligner(
                self.scores,
                table=self.senones.table,
                lexicon=self.lexicons.of(shard.split),
                spoken=spoken,
                before=self._before(shard),
            )
            aligner.align_together([row for row in rows if row.condition == utterance.CLEAN])
            return shard_content(
                Recordings(aligner, spoken, rows),
                slabs,
                senone_set=self.senones.id,
                num_senones=self.senones.size,
                realigned_by=self.senones.realigned_by,
            )

    def _before(self, shard: Shard) -> dict[str, Alignment]:
        found: dict[str, Alignment] = {}
        for table in self.source.read_slabs(shard):
            rows = zip(alignments.decode(table).items(), alignments.decode_confidences(table), strict=True)
            found |= {name: Alignment(senones, confidence) for (name, senones), confidence in rows}
        return found
