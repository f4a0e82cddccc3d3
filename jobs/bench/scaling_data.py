"""The speech of `scaling.py` for training and evaluation: a run's own, in memory, cut into slabs of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import alignments, features, targets
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.batches import cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import SlabRef, Source, SourceName, source_of

LOOK_AHEAD, CHUNK_FRAMES = 3, 32
HELD_OUT = 2 * 60 * 100 * 60  # 10 ms frames of test speech for evaluation, besides dev: two hours


@dataclass(frozen=True, kw_only=True)
class ScalingSpeech(SlabReader):
    """A reader of slabs in memory: `train` of one batch each, `held_out` of whole utterances."""

    train: list[list[Example]]
    held_out: list[list[Example]]

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        """The slab of that number."""
        return (self.train if source == "unlabeled" else self.held_out)[ref.slab]

    def source(self, name: SourceName, seed: int) -> Source:
        slabs = self.train if name == "unlabeled" else self.held_out
        table = np.zeros((len(slabs), 3), np.int32)
        table[:, 1] = np.arange(len(slabs))
        return Source(name, name, table, seed)


def load_speech(run: str, chunks: int) -> ScalingSpeech:
    """Unlabeled speech with the teacher's targets, cut and shuffled; dev and test speech with its alignments.

    ValueError where the run has none.
    """
    recipe = open_recipe(run)
    set_id = target_set_id(recipe)
    reader = SlabReader(recipe.run, recipe.frontend.mel_bins, load_senones(recipe.run).alignment_set, set_id)
    soft = _source(recipe, targets.store_name(set_id), "unlabeled")
    hard = [_source(recipe, alignments.store_name(reader.alignment_set), split) for split in ("dev", "test")]
    if not len(soft) or not all(len(source) for source in hard):
        raise ValueError(f"{recipe.run} lacks targets or aligned dev and test speech; run its stages to labelling")
    test = list(hard[1])[:: -(-hard[1].frames // HELD_OUT)]
    held_out = [reader.read("labeled", ref, 0) for ref in (*hard[0], *test)]
    heard = [example for ref in soft for example in reader.read("unlabeled", ref, 0)]
    return ScalingSpeech(
        run=reader.run,
        mel_bins=reader.mel_bins,
        alignment_set=reader.alignment_set,
        target_set=set_id,
        train=_recut(heard, chunks),
        held_out=held_out,
    )


def _source(recipe: Recipe, labels: str, split: str) -> Source:
    labelled = {entry.shard for entry in ShardStore(recipe.run, labels).entries(split)}
    finished = ShardStore(recipe.run, features.STORE).index(split)
    return source_of("unlabeled" if split == "unlabeled" else "labeled", split, finished, 0).only(labelled)


def _recut(heard: Sequence[Example], chunks: int) -> list[list[Example]]:
    """Slabs of `chunks` random chunks; the rest of an utterance is dropped, so that all steps have the same size."""
    length = CHUNK_FRAMES - LOOK_AHEAD
    pieces = [piece for piece in cut(heard, length) if piece.count == length]
    examples = []
    for piece in pieces:
        whole, posteriors = piece.example, piece.example.targets.posteriors
        kept = FrameTargets(whole.targets.senones[piece.span], None if posteriors is None else posteriors[piece.span])
        frames = whole.frames[piece.begin : piece.begin + length + LOOK_AHEAD]
        examples.append(replace(whole, frames=frames, targets=kept))
    order = np.random.default_rng(0).permutation(len(examples))
    return [
        [examples[place] for place in order[begin : begin + chunks]]
        for begin in range(0, len(order) - chunks + 1, chunks)
    ]
