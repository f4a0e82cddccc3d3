"""The same segments come of long recordings however the stage was stopped, placed and given more."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus import long_recordings, shuffle, small_work
from ssl_asr.corpus.bucket_job import buckets_before
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from tests.corpus.conftest import rows_of
from tests.corpus.long_recordings.listed import (
    Rows,
    add,
    allowing,
    cuts,
    manifest,
    segments,
    times,
)
from tests.corpus.long_speech import RATE, Talk


@pytest.fixture
def unbroken(recipe: Recipe, long: Rows, small_batches: None) -> dict[str, bytes]:
    other = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    run_corpus(other)
    return manifest(other.run)


@pytest.mark.parametrize("killed_after", [2, 4, 6, 8, 11, 13, 16, 20])
def test_a_killed_stage_goes_on_and_cuts_nothing_twice(
    recipe: Recipe,
    unbroken: dict[str, bytes],
    heard: Counter[str],
    killed_after: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "other.jsonl").write_text('{"id": "other", "audio_filepath": "0.flac"}\n')
    run_corpus(allowing(recipe, unlabeled=f"nemo:{tmp_path}/other.jsonl"))  # all but what is to be cut
    writes, whole = itertools.count(), filesystem.write_bytes

    def killed(uri: str, data: bytes) -> None:
        if "/corpus/" in uri and next(writes) == killed_after:
            raise KeyboardInterrupt
        whole(uri, data)

    with monkeypatch.context() as patch:
        patch.setattr(filesystem, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            run_corpus(recipe)
    finished = Path(recipe.run, "ledger", "corpus", "cuts", "unlabeled")
    done = len([*finished.glob("*.json")]) if finished.exists() else 0
    before = cuts(recipe.run)
    heard.clear()
    run_corpus(recipe)
    assert manifest(recipe.run) == unbroken
    assert len(heard) <= 4 - done
    assert sum(cuts(recipe.run).get(name) == held for name, held in before.items()) >= done
    heard.clear()
    assert todo_corpus(recipe, []) == []
    run_corpus(recipe)
    assert not heard


def test_batches_and_their_order_do_not_matter(
    recipe: Recipe, unbroken: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_recordings, "BATCH_SECONDS", 7200.0)
    monkeypatch.setattr(long_recordings, "GROUP_SECONDS", 1.0)
    plain = small_work.in_this_process

    def backwards(what: str, shards: Sequence[object], make_job: Callable[[], object], **rest: object) -> object:
        return plain(what, list(shards)[::-1], make_job, **rest)

    monkeypatch.setattr(small_work, "in_this_process", backwards)
    run_corpus(recipe)
    assert manifest(recipe.run) == unbroken


def test_buckets_are_as_many_as_their_segments_ask_for(
    recipe: Recipe, unbroken: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much there is to cut is known only when the list is read."""
    whole = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    before = {row.id: times([row]) for row in rows_of(whole, "unlabeled")}
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 700)
    run_corpus(recipe)
    assert buckets_before(recipe.run, "unlabeled") > 2
    assert {row.id: times([row]) for row in rows_of(recipe, "unlabeled")} == before
    assert todo_corpus(recipe, []) == []


def test_actors_cut_the_same_bytes(
    recipe: Recipe, long: Rows, ray_local: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_corpus(recipe)
    other = recipe.model_copy(update={"run": f"{recipe.run}-on-ray"})
    monkeypatch.setattr(small_work, "SMALL_HOURS", 0.0)
    run_corpus(other)
    assert manifest(other.run) == manifest(recipe.run)
    assert {name: data for name, (data, _) in cuts(other.run).items()} == {
        name: data for name, (data, _) in cuts(recipe.run).items()
    }


def test_only_recordings_that_came_are_cut(
    recipe: Recipe, long: Rows, small_batches: None, heard: Counter[str], talks: list[Talk], tmp_path: Path
) -> None:
    run_corpus(recipe)
    assert heard == {"a.flac": 1, "b.wav": 1, "c.wav": 1, "d.flac": 1}
    heard.clear()
    before = {row.id for row in rows_of(recipe, "unlabeled")}
    talks[1].write(tmp_path / "z.flac")
    add(tmp_path, [{"id": "z", "audio_filepath": "z.flac"}])
    run_corpus(recipe)
    assert "z.flac" in heard
    assert len(heard) <= 2  # with what was in its batch
    assert before < {row.id for row in rows_of(recipe, "unlabeled")}
    heard.clear()
    lines = (tmp_path / "unlabeled.jsonl").read_text().splitlines()
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    run_corpus(recipe)
    assert len(heard) <= 1
    assert {row.id for row in rows_of(recipe, "unlabeled")} == before


def test_changed_audio_is_cut_again(
    recipe: Recipe, long: Rows, small_batches: None, heard: Counter[str], talks: list[Talk], tmp_path: Path
) -> None:
    run_corpus(recipe)
    heard.clear()
    other = Talk(np.roll(talks[0].samples, 5 * RATE), np.roll(talks[0].spoken, 5 * 50))
    other.write(tmp_path / "a.flac")
    run_corpus(recipe)
    assert "a.flac" in heard
    assert "d.flac" not in heard or "b.wav" not in heard
    assert other.covered(times(segments(recipe, "a"))) > 0.98
