"""The frontend stage: complete, joined to the manifest, resumable, and unmoved by bad audio."""

from __future__ import annotations

import collections
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.frontend.stage import prior_of_today, run_frontend
from ssl_asr.frontend.statistics import NORMALISED_BY, global_statistics
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, filesystem, utterance
from ssl_asr.store.layout import prior_uri, rejects_uri
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.frontend.conftest import BAD, some_utterances, with_reject_share


def stores(recipe: Recipe) -> tuple[ShardStore, ShardStore]:
    return ShardStore(recipe.run, utterance.STORE), ShardStore(recipe.run, features.STORE)


def test_every_manifest_row_has_its_features_in_the_same_slab(feature_run: Recipe) -> None:
    manifest, store = stores(feature_run)
    for split in utterance.SPLITS:
        assert manifest.entries(split), f"the fixture has no {split} shard"
        for source in manifest.entries(split):
            entry = store.entry(source.shard)
            assert entry.rejects == ()
            assert (entry.rows, len(entry.slabs)) == (source.rows, len(source.slabs))
            for slab in range(len(source.slabs)):
                rows = features.decode(store.read_slab(source.shard, slab), 64)
                asked = utterance.decode(manifest.read_slab(source.shard, slab))
                assert [(row.id, row.speaker, row.condition) for row in rows] == [
                    (item.id, item.speaker, item.condition) for item in asked
                ]
                assert entry.slabs[slab] == sum(len(row.frames) for row in rows)
                for row, item in zip(rows, asked, strict=True):
                    assert len(row.frames) == pytest.approx(100 * item.duration, abs=2)
                    assert np.isfinite(row.frames).all()


def test_degraded_copies_have_the_frames_of_their_recording(feature_run: Recipe) -> None:
    manifest, store = stores(feature_run)
    lengths: dict[str, set[int]] = collections.defaultdict(set)
    copies = 0
    for entry in store.entries("labeled"):
        frames = {
            row.id: len(row.frames) for slab in store.read_slabs(entry.shard) for row in features.decode(slab, 64)
        }
        for item in (item for slab in manifest.read_slabs(entry.shard) for item in utterance.decode(slab)):
            lengths[item.recording].add(frames[item.id])
            copies += item.id != item.recording
    assert copies == len(lengths)
    assert all(len(lengths_of_one) == 1 for lengths_of_one in lengths.values())


def test_statistics_of_the_ledger_are_those_of_one_pass_over_what_is_stored(feature_run: Recipe) -> None:
    _, store = stores(feature_run)
    everything = np.concatenate(
        [
            row.frames.astype(np.float64)
            for entry in store.entries("labeled")
            for slab in store.read_slabs(entry.shard)
            for row in features.decode(slab, 64)
        ]
    )
    mean, deviation = global_statistics(feature_run.run)
    np.testing.assert_allclose(mean, everything.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(deviation, everything.std(axis=0), rtol=1e-4)
    others = [entry for split in utterance.SPLITS if split != NORMALISED_BY for entry in store.entries(split)]
    assert all("sum" not in entry.statistics for entry in others)
    assert {entry.shard.split for entry in others} == {"unlabeled", "dev", "test"}


def test_what_is_done_is_skipped_and_what_is_lost_is_made_again_to_the_byte(
    feature_run: Recipe, tmp_path: Path
) -> None:
    recipe = feature_run.model_copy(update={"run": str(tmp_path / "run")})
    shutil.copytree(feature_run.run, recipe.run)
    assert run_frontend(recipe).skipped == run_frontend(recipe).pieces
    _, store = stores(recipe)
    lost, stale = Shard("labeled", 1), Shard("unlabeled", 0)
    before = {shard: (store.entry(shard), Path(store.uri(shard)).read_bytes()) for shard in (lost, stale)}
    filesystem.delete(store.ledger_uri(lost))
    changed = dataclasses.replace(before[stale][0], parents={"manifest": "an older one"})
    filesystem.write_bytes(store.ledger_uri(stale), changed.to_json())
    leftover = Path(f"{store.uri(lost)}.tmp-00000000")
    leftover.write_bytes(b"half")
    gone = dataclasses.replace(before[lost][0], shard=Shard("labeled", 99))
    filesystem.write_bytes(store.ledger_uri(gone.shard), gone.to_json())
    report = run_frontend(recipe)
    assert report.pieces - report.skipped == 2
    for shard, (entry, data) in before.items():
        assert store.entry(shard) == entry
        assert Path(store.uri(shard)).read_bytes() == data
    assert not leftover.exists()
    assert store.entry(gone.shard) is None, "a shard that left the manifest still has features"


def test_bad_audio_is_rejected_by_name_and_the_job_goes_on(bad_run: Recipe, corpus_run: Recipe) -> None:
    report = run_frontend(bad_run)
    _, store = stores(bad_run)
    entry = store.entry(Shard("labeled", 0))
    good = [item.id for item in some_utterances(corpus_run, "labeled", 4)]
    assert [row.id for slab in store.read_slabs(entry.shard) for row in features.decode(slab, 64)] == good
    assert len(entry.slabs) == 1, "slabs without a usable row are dropped"
    assert {reject.id for reject in entry.rejects} == set(BAD)
    nothing = store.entry(Shard("dev", 0))
    assert (nothing.rows, nothing.slabs, len(nothing.rejects)) == (0, (), len(BAD))
    assert report.rejected == 2 * len(BAD)
    lines = [
        json.loads(line) for line in filesystem.read_bytes(rejects_uri(bad_run.run, "frontend")).decode().splitlines()
    ]
    for line in lines:
        assert "\n" not in line["reason"]
        assert f"{line['id']}.wav" in line["reason"]
    assert np.isfinite(global_statistics(bad_run.run)[1]).all()


def test_too_many_rejects_fail_the_stage_and_a_manifest_cut_in_half_is_listed(bad_run: Recipe) -> None:
    manifest, store = stores(bad_run)
    path = Path(manifest.uri(Shard("dev", 0)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    says = r"6 of 10 utterances of labeled were rejected .* 6 of 6 utterances of dev .* corpus\.max_reject_share=0\.1"
    with pytest.raises(ValueError, match=says):
        run_frontend(with_reject_share(bad_run, 0.1))
    lines = filesystem.read_bytes(rejects_uri(bad_run.run, "frontend")).decode()
    assert "dev/000000.parquet is not a whole Parquet file" in lines
    assert store.entry(Shard("labeled", 0)).rows == 4


def test_without_usable_labeled_audio_there_is_one_sentence(bad_run: Recipe, tmp_path: Path) -> None:
    manifest, _ = stores(bad_run)
    for entry in manifest.entries("labeled"):
        filesystem.delete(manifest.ledger_uri(entry.shard))
    with pytest.raises(ValueError, match="has no manifest of labeled speech yet; run the corpus stage first"):
        run_frontend(bad_run)
    with pytest.raises(ValueError, match="has no manifest of labeled speech yet; run the corpus stage first"):
        run_frontend(bad_run.model_copy(update={"run": str(tmp_path / "nothing")}))


def test_a_prior_of_another_version_is_measured_again(feature_run: Recipe, tmp_path: Path) -> None:
    recipe = feature_run.model_copy(update={"run": str(tmp_path)})
    former = {"mean": [1.0] * 64, "frames": 9, "inputs": {"version": "1"}}  # it knows no level
    filesystem.write_bytes(prior_uri(recipe.run), json.dumps(former).encode())
    assert prior_of_today(recipe) is None
    shutil.copy(prior_uri(feature_run.run), prior_uri(recipe.run))
    assert prior_of_today(recipe) == prior_of_today(feature_run)


def test_a_damaged_prior_is_refused_by_name(feature_run: Recipe, tmp_path: Path) -> None:
    recipe = feature_run.model_copy(update={"run": str(tmp_path / "run")})
    shutil.copytree(feature_run.run, recipe.run)
    path = Path(prior_uri(recipe.run))
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match=r"prior\.json is damaged .* delete it and run the frontend stage again"):
        run_frontend(recipe)
