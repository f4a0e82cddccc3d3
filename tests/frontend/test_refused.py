"""Utterances that were rejected are tried again once their audio is another, and only then."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.frontend.stage import run_frontend, todo_frontend
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, filesystem
from ssl_asr.store.index_columns import REFUSED
from ssl_asr.store.ledger import LedgerEntry, Shard
from ssl_asr.store.shards import ShardStore
from tests.frontend.conftest import with_reject_share

LABELED = Shard("labeled", 0)


def _mend(folder: Path, name: str) -> None:
    soundfile.write(folder / f"{name}.wav", np.random.default_rng(1).normal(0, 0.1, 8000), 8000)


def _entry(recipe: Recipe) -> LedgerEntry:
    entry = ShardStore(recipe.run, features.STORE).entry(LABELED)
    assert entry is not None
    return entry


def _rejected(recipe: Recipe) -> set[str]:
    return {reject.id for reject in _entry(recipe).rejects}


def test_the_same_command_tries_again_what_was_mended(bad_run: Recipe, tmp_path: Path) -> None:
    strict = with_reject_share(bad_run, 0.5)
    for _ in range(2):
        with pytest.raises(ValueError, match="6 of 10 utterances of labeled were rejected"):
            run_frontend(strict)
    first = _entry(bad_run)
    assert todo_frontend(bad_run, []) == []
    for name in ("truncated", "missing", "nan", "no-audio"):
        _mend(tmp_path, name)
    found = {todo.product: (todo.because, todo.pieces) for todo in todo_frontend(bad_run, [])}
    assert found == {f"features/{split}": (("audio that was rejected",), 1) for split in ("labeled", "dev")}
    assert run_frontend(strict).rejected == 4
    assert _rejected(bad_run) == {"empty", "blink"}
    assert todo_frontend(bad_run, []) == []
    assert run_frontend(strict).skipped == 2
    (tmp_path / "nan.wav").unlink()  # nothing reads it again
    _mend(tmp_path, "empty")
    assert todo_frontend(bad_run, []) == [], "features would be lost, for other audio is gone"
    _mend(tmp_path, "nan")
    run_frontend(strict)
    assert _rejected(bad_run) == {"blink"}
    assert _entry(bad_run).checksum != first.checksum


def test_a_shard_that_noted_no_files_is_tried_again_once(bad_run: Recipe) -> None:
    """Those of an earlier version."""
    run_frontend(bad_run)
    entry, store = _entry(bad_run), ShardStore(bad_run.run, features.STORE)
    kept = {name: value for name, value in entry.statistics.items() if name != REFUSED}
    filesystem.write_bytes(store.ledger_uri(LABELED), dataclasses.replace(entry, statistics=kept).to_json())
    assert [todo.product for todo in todo_frontend(bad_run, [])] == ["features/labeled"]
    report = run_frontend(bad_run)
    assert report.pieces - report.skipped == 1
    assert _entry(bad_run) == entry
    assert todo_frontend(bad_run, []) == []
