"""One shard of alignments from one shard of features: what an actor of the hmm stage does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ssl_asr.corpus.augment.speed import fits, recording_places, speed_of
from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.chunks import manifest, transcribe
from ssl_asr.hmm.flat_model import Fit
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.hmm.training import HmmInputs, Trained, read_trained
from ssl_asr.hmm.triphones import triphone_codes
from ssl_asr.lang.lexicon import Lexicon, read_lexicon, read_unlabeled_lexicon
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime.shard_stage import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import alignments, features, utterance
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

Senones = npt.NDArray[np.uint16]
NOTHING = np.zeros(0, np.uint16)
VERSION = "1"  # raise where equal inputs give other alignments


def alignment_parents(source: SourceShard, trained: Trained) -> dict[str, str]:
    """What the alignments of the features shard `source` are made from."""
    return {
        "version": VERSION,
        "features": source.checksum,
        "flat start": inputs_key(trained.inputs.flat_start),
        "senones": trained.senone_set,
    }


class AlignmentJob(ShardMaker):
    """Aligns a shard: clean recordings by the model, degraded copies like the recording that they were made from.

    The alignment of a copy at another speed is the recording's in its own time: the same senone at the same sound.
    """

    def __init__(self, run: str, mel_bins: int, trained: Trained) -> None:
        store = ShardStore(run, alignments.store_name(trained.senone_set))
        super().__init__(ShardStore(run, features.STORE), store)
        self.run, self.mel_bins, self.trained = run, mel_bins, trained
        self.model, self.table = trained.model, trained.table

    def parents(self, source: SourceShard) -> dict[str, str]:
        return alignment_parents(source, self.trained)

    @cached_property
    def lexicon(self) -> Lexicon:
        return read_lexicon(self.run)

    @cached_property
    def unlabeled_lexicon(self) -> Lexicon:
        return read_unlabeled_lexicon(self.run)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the features shard itself cannot be read."""
        slabs = [features.decode(slab, self.mel_bins) for slab in self.source.read_slabs(shard)]
        with threadpool_limits(1):
            aligned = _Shard(self, shard.split, manifest(self.run, shard), [row for slab in slabs for row in slab])
            senones = [[aligned.senones(row) for row in slab] for slab in slabs]
        frames = [sum(map(len, slab)) for slab in senones]
        return ShardContent(
            alignments.SCHEMA,
            [alignments.encode([row.id for row in rows], slab) for rows, slab in zip(slabs, senones, strict=True)],
            frames,
            seconds=sum(frames) * features.FRAME_SECONDS,
            metadata={"senone_set": self.trained.senone_set, "frame_seconds": str(features.FRAME_SECONDS)},
            statistics=_statistics([row for slab in senones for row in slab], int(self.table.max()) + 1, aligned.fit)
            | ({"without_text": aligned.without_text} if aligned.may_lack_text else {}),
            rejects=aligned.rejects,
        )


def load_job(run: str, mel_bins: int, inputs: HmmInputs) -> AlignmentJob:
    """The job with the model and table that the run holds for `inputs`; ValueError where it holds none."""
    trained = read_trained(run, inputs)
    if trained is None:
        raise ValueError(f"{run} has no finished flat start for its current features; run the hmm stage again")
    return AlignmentJob(run, mel_bins, trained)


class _Shard:
    """Alignments of the recordings of one shard, each made at its first use."""

    def __init__(
        self, job: AlignmentJob, split: str, spoken: Mapping[str, Utterance], rows: Sequence[FeatureRow]
    ) -> None:
        self.job, self.spoken = job, spoken
        self.may_lack_text, self.without_text = split == "unlabeled", 0
        self.lexicon = job.unlabeled_lexicon if self.may_lack_text else job.lexicon
        self.fit = Fit()
        self.rejects: list[Reject] = []
        self._clean = {spoken[row.id].recording: row for row in rows if row.condition == utterance.CLEAN}
        self._known: dict[str, Senones | str] = {}

    def senones(self, row: FeatureRow) -> Senones:
        """Senone of each 10 ms frame of `row`; empty if the utterance is rejected, or if its text is not known."""
        if self.may_lack_text and self.spoken[row.id].text is None:
            self.without_text += 1
            return NOTHING
        # A degraded copy without its clean recording is aligned by itself.
        like = self._clean.get(self.spoken[row.id].recording, row)
        if like.id not in self._known:
            self._known[like.id] = self._align(like)
        found = self._known[like.id]
        if not isinstance(found, str):
            found = _in_time_of(row, like, found)
        if isinstance(found, str):
            self.rejects.append(Reject(row.id, found))
            return NOTHING
        return found

    def _align(self, row: FeatureRow) -> Senones | str:
        ready = transcribe(row.frames, self.spoken[row.id], self.lexicon)
        if isinstance(ready, str):
            return ready
        aligned = self.job.model.align(ready)
        if aligned is None:
            return f"no path through its text fits its {len(row.frames)} frames of 10 ms"
        self.fit += Fit(aligned.log_likelihood, len(aligned.labels))
        return self.job.table.reshape(-1)[triphone_codes(aligned.labels)]


def _in_time_of(row: FeatureRow, like: FeatureRow, senones: Senones) -> Senones | str:
    """`senones` of `like`, which `row` was made from, in the time of `row`, or why there are none."""
    factor, frames = speed_of(row.condition) / speed_of(like.condition), len(row.frames)
    if not fits(frames, len(senones), factor):
        at = f", at {factor:g} of its speed" if factor != 1 else ""
        return f"it has {frames} frames of 10 ms, but {like.id}, which it was made from{at}, has {len(senones)}"
    return senones if factor == 1 else senones[recording_places(frames, len(senones), factor)]


def _statistics(rows: Sequence[Senones], senones: int, fit: Fit) -> dict[str, Any]:
    """For the ledger: 30 ms frames of each senone, 10 ms frames in all and silent, fit of what was aligned here."""
    counts = sum((np.bincount(stack_labels(row), minlength=senones) for row in rows), np.zeros(senones, np.int64))
    return {
        "senone_counts": counts.tolist(),
        "silent_frames": int(sum((row == SILENCE_SENONE).sum() for row in rows)),
        "log_likelihood": fit.log_likelihood,
        "fitted_frames": fit.frames,
    }
