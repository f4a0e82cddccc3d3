"""A store of which part is done, for what is asked of its index, and the entries that are read meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_asr.store import features, filesystem
from ssl_asr.store.layout import index_uri
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.store.test_shards import feature_rows, publish

SPLIT = "labeled"
SHARDS = [Shard(SPLIT, number) for number in range(6)]


def settle(store: ShardStore, shard: Shard, seconds: int = 100) -> None:
    """Make the shard's entry as old as one that is kept in the index."""
    path = Path(store.ledger_uri(shard))
    written = path.stat().st_mtime_ns - seconds * 10**9
    os.utime(path, ns=(written, written))


def index_file(store: ShardStore) -> Path:
    return Path(index_uri(store.root, store.name, SPLIT))


def wanted() -> dict[Shard, dict[str, str]]:
    return {shard: {"manifest": f"m{shard.number}"} for shard in SHARDS}


def left(store: ShardStore) -> list[int]:
    return [shard.number for shard in store.unfinished(wanted())]


@pytest.fixture
def partly_done(tmp_path: Path) -> ShardStore:
    """Shards 0 to 4 of six are done, but 3 and 4 of other parents."""
    store = ShardStore(str(tmp_path), features.STORE)
    for shard in SHARDS[:5]:
        publish(store, [feature_rows(1 + shard.number)], shard, manifest=f"m{shard.number % 3}")
        settle(store, shard)
    return store


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the ledger entries read so far."""
    names: list[str] = []
    read_bytes = filesystem.read_bytes

    def reading(uri: str) -> bytes:
        if uri.endswith(".json"):
            names.append(uri[-11:])
        return read_bytes(uri)

    monkeypatch.setattr(filesystem, "read_bytes", reading)
    return names
