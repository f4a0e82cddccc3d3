"""One shard of alignments from one shard of features: what an actor of the hmm stage does."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from ssl_asr.hmm.chunks import manifest
from ssl_asr.hmm.flat_aligner import FlatAligner
from ssl_asr.hmm.imported import read_imported
from ssl_asr.hmm.recordings import Recordings, shard_content
from ssl_asr.hmm.training import HmmInputs, Trained, read_trained
from ssl_asr.lang.lexicon import RunLexicons
from ssl_asr.recipe import WrongTexts
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import alignments, features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

VERSION = "2"  # raise where equal inputs give other alignments
CHECKED_SPLIT = "labeled"  # of which the texts are checked, and alignments may be imported


def alignment_parents(source: SourceShard, trained: Trained) -> dict[str, str]:
    """What the alignments of the features shard `source` are made from."""
    checked = trained.inputs.labeled if source.shard.split == CHECKED_SPLIT else {}
    return {
        "version": VERSION,
        "features": source.checksum,
        "flat start": trained.inputs.flat_start_key,
        "senones": trained.senone_set,
        **checked,
    }


class AlignmentJob(ShardMaker):
    """Aligns a shard: clean recordings by the model, degraded copies like the recording that they were made from.

    The alignment of a copy at another speed is the recording's in its own time: the same senone at the same sound.
    """

    def __init__(self, run: str, mel_bins: int, trained: Trained, wrong_texts: WrongTexts = "keep") -> None:
        store = ShardStore(run, alignments.store_name(trained.senone_set))
        super().__init__(ShardStore(run, features.STORE), store)
        self.run, self.mel_bins, self.trained, self.wrong_texts = run, mel_bins, trained, wrong_texts
        self.lexicons = RunLexicons(run)

    def parents(self, source: SourceShard) -> dict[str, str]:
        return alignment_parents(source, self.trained)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the features shard itself cannot be read."""
        slabs = [features.decode(slab, self.mel_bins) for slab in self.source.read_slabs(shard)]
        rows, spoken, table = [row for slab in slabs for row in slab], manifest(self.run, shard), self.trained.table
        with threadpool_limits(1):
            may_lack_text = shard.split == "unlabeled"
            checked = shard.split == CHECKED_SPLIT
            imported = read_imported(self.run, shard.number, self.trained.inputs.imported) if checked else None
            aligner = FlatAligner(
                self.trained.model,
                table,
                lexicon=self.lexicons.of(shard.split),
                spoken=spoken,
                wrong_texts=self.wrong_texts,
                imported=imported,
            )
            if checked:
                aligner.check_texts(rows)
            recordings = Recordings(aligner, spoken, rows, may_lack_text=may_lack_text)
            return shard_content(
                recordings, slabs, senone_set=self.trained.senone_set, num_senones=int(table.max()) + 1
            )


def load_job(run: str, mel_bins: int, inputs: HmmInputs, wrong_texts: WrongTexts) -> AlignmentJob:
    """The job with the model and table that the run holds for `inputs`; ValueError where it holds none."""
    trained = read_trained(run, inputs)
    if trained is None:
        raise ValueError(f"{run} has no finished flat start for its current features; run the hmm stage again")
    return AlignmentJob(run, mel_bins, trained, wrong_texts)
