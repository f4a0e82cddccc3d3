"""Alignments of unlabeled speech for the topline: made where texts are known, and nothing else changes by them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.hmm.alignment_job import AlignmentJob
from ssl_asr.hmm.stage import run_hmm, todo_hmm
from ssl_asr.hmm.training import Trained
from ssl_asr.hmm.unlabeled_texts import check_texts, ensure_lexicon, unlabeled_stage
from ssl_asr.lang.lexicon import read_lexicon, read_unlabeled_lexicon
from ssl_asr.recipe import Recipe
from ssl_asr.store import alignments, features, utterance
from ssl_asr.store.hmm_layout import lexicon_uri
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.hmm.test_hmm_stage import checksums
from tests.in_process import placed_here


def with_topline(recipe: Recipe, run: Path | None = None) -> Recipe:
    asked = recipe.evaluate.model_copy(update={"topline": True})
    return recipe.model_copy(update={"evaluate": asked, "run": str(run or recipe.run)})


@pytest.fixture
def run(aligned_run: Recipe, tmp_path: Path) -> Recipe:
    """A copy of a run that is aligned, asked for a topline."""
    shutil.copytree(aligned_run.run, tmp_path / "run")
    return with_topline(aligned_run, tmp_path / "run")


def rewrite(recipe: Recipe, shard: Shard, texts: dict[int, str | None]) -> list[str]:
    """Give the utterances at these places of a shard other texts; returns their ids."""
    store, ids = ShardStore(recipe.run, utterance.STORE), []
    entry, slabs = store.entry(shard), [utterance.decode(slab) for slab in store.read_slabs(shard)]
    rows = [row for slab in slabs for row in slab]
    for place, text in texts.items():
        ids.append(rows[place].id)
        rows[place] = replace(rows[place], text=text)
    left = iter(rows)
    tables = [utterance.encode([next(left) for _ in slab]) for slab in slabs]
    store.publish(shard, utterance.SCHEMA, tables, entry.slabs, seconds=1, parents=entry.parents, metadata={})
    return ids


def test_the_topline_aligns_the_unlabeled_speech_and_changes_nothing_else(run: Recipe) -> None:
    before = checksums(run.run)
    assert [todo.product for todo in todo_hmm(run, [])] == ["alignments/unlabeled"]
    with placed_here():
        report = run_hmm(run)
    now = checksums(run.run)
    assert {path: data for path, data in now.items() if path in before} == before
    added = {path for path in now if path not in before and "/unlabeled/" not in path}
    assert {Path(path).name for path in added} == {"unlabeled_lexicon.txt"}
    assert report.figures["unlabeled_without_text"] == 0
    assert float(str(report.figures["unlabeled_aligned"]).rstrip("%")) > 95
    assert todo_hmm(run, []) == []
    senone_set = str(report.figures["senone_set"])
    aligned, heard = (ShardStore(run.run, name) for name in (alignments.store_name(senone_set), features.STORE))
    for shard in heard.shards("unlabeled"):
        for slab in range(len(heard.entry(shard).slabs)):
            labels = alignments.decode(aligned.read_slab(shard, slab))
            frames = {row.id: len(row.frames) for row in features.decode(heard.read_slab(shard, slab), 64)}
            assert labels.keys() == frames.keys()
            assert all(len(senones) in (0, frames[name]) for name, senones in labels.items())


def test_unknown_texts_are_counted_and_bad_ones_rejected_and_new_words_pronounced_apart(
    run: Recipe, trained: Trained
) -> None:
    shard = ShardStore(run.run, features.STORE).shards("unlabeled")[0]
    ids = rewrite(run, shard, {0: None, 1: "kerfluzzle", 2: "a " * 900})
    graph_words = Path(lexicon_uri(run.run)).read_bytes()
    with placed_here():
        ensure_lexicon(run)
        job = AlignmentJob(run.run, run.frontend.mel_bins, trained)
        content = job.make(shard)
    assert "kerfluzzle" in read_unlabeled_lexicon(run.run).words
    assert "kerfluzzle" not in read_lexicon(run.run).words
    assert Path(lexicon_uri(run.run)).read_bytes() == graph_words
    labels = {name: row for table in content.slabs for name, row in alignments.decode(table).items()}
    assert [len(labels[name]) > 0 for name in ids] == [False, True, False]
    assert content.statistics["without_text"] == 1
    assert [reject.id for reject in content.rejects] == [ids[2]]
    assert "too few for its text" in content.rejects[0].reason


def test_speech_without_any_text_is_refused_with_the_key_to_turn_off(run: Recipe) -> None:
    check_texts(run)
    store = ShardStore(run.run, utterance.STORE)
    for entry in store.entries("unlabeled"):
        slabs = list(store.read_slabs(entry.shard))
        silent = {"degraded": 0, "noisy": 0, "texts": 0}
        store.publish(
            entry.shard, utterance.SCHEMA, slabs, entry.slabs, seconds=1, parents={}, metadata={}, statistics=silent
        )
    with pytest.raises(ValueError, match=r"corpus\.unlabeled=open-speech knows no text.*evaluate\.topline=false"):
        check_texts(run)
    check_texts(run.model_copy(update={"evaluate": run.evaluate.model_copy(update={"topline": False})}))


def test_what_the_topline_left_goes_once_it_belongs_to_other_features(run: Recipe, trained: Trained) -> None:
    store = ShardStore(run.run, alignments.store_name(trained.senone_set))
    made = ShardStore(run.run, features.STORE).shards("unlabeled")
    with placed_here():
        run_hmm(run)
    off = run.model_copy(update={"evaluate": run.evaluate.model_copy(update={"topline": False})})
    unlabeled_stage(off, trained).drop_outdated()
    assert store.shards("unlabeled") == made
    entry = store.entry(made[0])
    other = dict(entry.parents) | {"features": "0" * 16}
    store.publish(
        made[0],
        alignments.SCHEMA,
        list(store.read_slabs(made[0])),
        entry.slabs,
        seconds=1,
        parents=other,
        metadata={},
        statistics=entry.statistics,
    )
    unlabeled_stage(off, trained).drop_outdated()
    assert store.shards("unlabeled") == made[1:]
    assert np.all(store.index("labeled").numbers >= 0)
