from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.corpus import shuffle
from ssl_asr.recipe import Recipe
from tests.conftest import tiny_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return tiny_recipe(
        tmp_path / "run", "corpus.shard_minutes=4", "corpus.slab_minutes=1", "corpus.unlabeled_copies=0"
    )


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 20_000)
