"""A run of a few real utterances and many bad ones, whose manifest is written by hand."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.split_stage import shard_parents
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

BAD = ("truncated", "missing", "nan", "empty", "no-audio", "blink")


def with_reject_share(recipe: Recipe, share: float) -> Recipe:
    return recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update={"max_reject_share": share})})


def publish_manifest(recipe: Recipe, shard: Shard, slabs: Sequence[Sequence[Utterance]]) -> None:
    counts = [round(sum(item.duration for item in slab) / features.FRAME_SECONDS) for slab in slabs]
    ShardStore(recipe.run, utterance.STORE).publish(
        shard,
        utterance.SCHEMA,
        [utterance.encode(slab) for slab in slabs],
        counts,
        seconds=sum(counts) * features.FRAME_SECONDS,
        parents=shard_parents(recipe),
        metadata={},
        statistics={"degraded": 0, "noisy": 0},
    )


def some_utterances(recipe: Recipe, split: str, count: int) -> list[Utterance]:
    """Clean ones from the first slabs of a run."""
    manifest = ShardStore(recipe.run, utterance.STORE)
    rows = [item for slab in manifest.read_slabs(Shard(split, 0)) for item in utterance.decode(slab)]
    return [item for item in rows if item.condition == utterance.CLEAN][:count]


def bad_utterances(folder: Path) -> list[Utterance]:
    """One of each kind in BAD, under its name."""
    noise = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    soundfile.write(folder / "truncated.wav", noise, 8000)
    whole = (folder / "truncated.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(whole[: len(whole) // 2])
    soundfile.write(folder / "nan.wav", np.where(np.arange(8000) == 4000, np.nan, noise), 8000, subtype="FLOAT")
    soundfile.write(folder / "empty.wav", noise[:0], 8000)
    (folder / "no-audio.wav").write_bytes(b"")
    soundfile.write(folder / "blink.wav", noise[:100], 8000)
    seconds = {"blink": 100 / 8000}
    return [
        Utterance(name, str(folder / f"{name}.wav"), "mallory", order, seconds.get(name, 1.0), text="no")
        for order, name in enumerate(BAD)
    ]


@pytest.fixture
def bad_run(corpus_run: Recipe, tmp_path: Path, ray_local: None) -> Recipe:
    """Labeled: four good utterances in a slab of their own, then a slab of the bad ones; dev: a bad shard."""
    recipe = with_reject_share(corpus_run.model_copy(update={"run": str(tmp_path / "run")}), 1.0)
    shutil.copytree(Path(corpus_run.run) / "corpus", Path(recipe.run) / "corpus")
    bad = bad_utterances(tmp_path)
    publish_manifest(recipe, Shard("labeled", 0), [bad[:3], some_utterances(corpus_run, "labeled", 4), bad[3:]])
    publish_manifest(recipe, Shard("dev", 0), [bad])
    return recipe
