"""The level range of an utterance: how far its speech is above its background, measured on its features."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from ssl_asr.recipe import Recipe
from ssl_asr.store import features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.shards import ShardStore

_QUIET, _LOUD = 10, 95  # percentiles of an utterance's frames
_DECIBELS_A_NEPER = 10 / np.log(10)


def level_range(frames: npt.NDArray[np.floating]) -> float:
    """dB between the loud and the quiet frames of LFBE [10 ms frames, mel bins], at least one frame.

    The mean that was subtracted from each bin weights the bins; it moves slowly, so it cancels within a bin.
    """
    levels = np.logaddexp.reduce(frames.astype(np.float32), axis=1)
    quiet, loud = np.percentile(levels, [_QUIET, _LOUD])
    return float((loud - quiet) * _DECIBELS_A_NEPER)


def level_ranges(recipe: Recipe, split: str) -> dict[str, float]:
    """Of all utterances of the split that have finite features, by id."""
    store = ShardStore(recipe.run, features.STORE)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        shards = pool.map(lambda shard: list(_of_shard(store, shard, recipe.frontend.mel_bins)), store.shards(split))
        return {name: decibels for shard in shards for name, decibels in shard}


def _of_shard(store: ShardStore, shard: Shard, mel_bins: int) -> Iterator[tuple[str, float]]:
    for slab in store.read_slabs(shard):
        for row in features.decode(slab, mel_bins):
            if len(row.frames) and np.isfinite(row.frames).all():
                yield row.id, level_range(row.frames)
