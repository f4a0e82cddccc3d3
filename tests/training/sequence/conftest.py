"""A run of made-up speech with a teacher by cross-entropy, on which sequence training takes seconds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.hmm.senones import SenoneSet, save_senones
from ssl_asr.lang.lexicon import write_lexicon
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import filesystem
from ssl_asr.training.stage import run_teacher
from tests.in_process import placed_here
from tests.pinned import PINNED
from tests.toy_run import LEXICON, TEXT, Spoken, pronounced, publish

SHARDS = 4
SMALL = [
    "teacher.network.units=16",
    "teacher.network.layers=1",
    "teacher.network.dropout=0.0",
    "teacher.labeled_passes=10",
    "teacher.whole_passes=1",
    "teacher.optimiser.learning_rate=3e-2",
    "cluster.train_workers=[2, 2]",
]
SEQUENCE = [
    "teacher.sequence.epochs=2",
    "teacher.sequence.lm_order=1",
    "teacher.sequence.beam=3",
    "teacher.sequence.lattice_beam=3",
    "teacher.sequence.kappa=1",
    "teacher.sequence.optimiser.learning_rate=1e-3",
    "teacher.sequence.sync.block_slabs=1",
]


def spoken(shard: int, slab: int) -> list[Spoken]:
    """Noisy sentences, and in the first shard one that was not aligned and one that ends in the middle of a word."""
    rows = [
        Spoken(f"lab-{shard}-{slab}-{n}", text, pronounced(text), noise=2.5)
        for n, text in enumerate(TEXT[slab : slab + 4])
    ]
    odd = [Spoken("odd-no-frame", "a cat", ""), Spoken("odd-cut", "a cat sat", "SIL EY K AE T S AE", noise=0.1)]
    return rows + (odd if (shard, slab) == (0, 0) else [])


def recipe_on(run: Path, *overrides: str) -> Recipe:
    """With sequence training if `overrides` say so."""
    return load_recipe("demo", [f"run={run}", *PINNED, "corpus.max_reject_share=0.5", *SMALL, *overrides])


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four labeled shards of two slabs, one dev shard, and a teacher; not to be changed."""
    run = tmp_path_factory.mktemp("taught") / "run"
    table = np.broadcast_to(np.arange(len(ENGLISH), dtype=np.uint16)[None, :, None], (len(ENGLISH),) * 3).copy()
    senones = SenoneSet(ENGLISH, table, np.full(len(ENGLISH), 100.0))
    save_senones(str(run), senones)
    write_lexicon(str(run), LEXICON)
    filesystem.write_bytes(str(run / "corpus" / "lm_text.txt"), "\n".join(TEXT).encode())
    for shard in range(SHARDS):
        publish(str(run), "labeled", shard, [spoken(shard, slab) for slab in range(2)], senones.id)
    publish(str(run), "dev", 0, [[Spoken("dev", TEXT[0], pronounced(TEXT[0]), noise=2.5)]], senones.id)
    with placed_here():
        run_teacher(recipe_on(run))
    return run


@pytest.fixture
def own(taught: Path, tmp_path: Path) -> Path:
    """A copy of the run, to train on and to damage."""
    shutil.copytree(taught, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def here() -> Iterator[None]:
    """All work is done in this process."""
    with placed_here():
        yield
