"""The labelling stage: what it writes, what it skips, and what it does with damage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.frontend.stacking import stack
from ssl_asr.labelling.integrity import check_slab
from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.labelling.teachers import VERSION, load_teacher
from ssl_asr.labelling.top_k import KeptMass
from ssl_asr.models.model_files import model_id
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key, non_defaults
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.integrity import Damage
from ssl_asr.store.layout import rejects_uri
from ssl_asr.store.ledger import LedgerEntry, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.top_k_codec import TopKCodec
from ssl_asr.store.training_layout import model_uri
from tests.labelling.conftest import SENONES, copy_run, save_teacher, target_store


def sources(recipe: Recipe) -> list[LedgerEntry]:
    return ShardStore(recipe.run, features.STORE).entries("unlabeled")


def heard_rows(recipe: Recipe, source: LedgerEntry) -> list[features.FeatureRow]:
    slabs = ShardStore(recipe.run, features.STORE).read_slabs(source.shard)
    return [row for slab in slabs for row in features.decode(slab, 64)]


def test_targets_are_the_teachers_largest_logits_row_for_row(labelled_run: Recipe) -> None:
    teacher, k = load_teacher(labelled_run), labelled_run.labelling.k
    source, store = ShardStore(labelled_run.run, features.STORE), target_store(labelled_run)
    assert [entry.shard for entry in store.entries("unlabeled")] == [entry.shard for entry in sources(labelled_run)]
    for entry in sources(labelled_run):
        labels = store.entry(entry.shard)
        assert len(labels.slabs) == len(entry.slabs)
        for index in range(len(entry.slabs)):
            heard = features.decode(source.read_slab(entry.shard, index), 64)
            decoded = targets.decode(store.read_slab(entry.shard, index))
            assert [row.id for row in decoded] == [row.id for row in heard]
            assert labels.slabs[index] == sum(len(row.frames) // 3 for row in heard)
            for row, label in list(zip(heard, decoded, strict=True))[::7]:
                (whole,) = teacher.log_probabilities([torch.from_numpy(stack(row.frames).astype(np.float32))])
                largest = whole.topk(k, dim=1).values
                assert label.targets.log_probs.shape == (len(row.frames) // 3, k)
                # Half a step of rounding and as much of the sum; alone or in a batch, the last bits differ too.
                within = {"atol": TopKCodec(k).step + 1e-3}
                np.testing.assert_allclose(label.targets.log_probs, largest.log_softmax(dim=1).numpy(), **within)
                ids = torch.from_numpy(label.targets.senones.astype(np.int64))
                np.testing.assert_allclose(whole.gather(1, ids).numpy(), largest.numpy(), atol=1e-3)
                assert label.confidence == pytest.approx(float(largest[:, 0].exp().mean()), abs=1e-3)


def test_ledger_names_parents_and_what_was_kept(labelled_run: Recipe) -> None:
    teacher, k = model_id(model_uri(labelled_run.run, "teacher")), labelled_run.labelling.k
    inputs = {"version": VERSION, **non_defaults(labelled_run, "targets")}
    assert target_store(labelled_run).name == f"targets/{teacher}-{inputs_key(inputs)[:6]}"
    for source in sources(labelled_run):
        entry = target_store(labelled_run).entry(source.shard)
        assert entry.parents == {"features": source.checksum, "teacher": teacher, **inputs}
        # An untrained network spreads its mass over all senones.
        assert k / SENONES < entry.statistics["kept_mass"] < 0.9
        assert 1.0 < entry.statistics["entropy_nats"] < np.log(SENONES)
        assert 10 < entry.statistics["bytes_per_frame"] < 40
        by_condition = entry.statistics["conditions"]
        assert set(by_condition) == {row.condition for row in heard_rows(labelled_run, source)}
        assert sum(each["frames"] for each in by_condition.values()) == entry.frames
        mean = sum(each["frames"] * each["kept_mass"] for each in by_condition.values()) / entry.frames
        assert mean == pytest.approx(entry.statistics["kept_mass"])
        assert sum(entry.statistics["confidence_frames"]) == entry.frames
        assert entry.seconds == pytest.approx(source.seconds, rel=0.02)
    figures = read_report(labelled_run, "labelling").figures
    assert k / SENONES < figures["kept_mass"] < 0.9


def test_what_is_done_is_skipped(labelled_run: Recipe) -> None:
    store = target_store(labelled_run)
    before = {entry.shard: Path(store.uri(entry.shard)).stat().st_mtime_ns for entry in store.entries("unlabeled")}
    report = run_labelling(labelled_run)
    assert report.skipped == report.pieces == len(before)
    assert before == {shard: Path(store.uri(shard)).stat().st_mtime_ns for shard in before}


def test_one_job_with_the_shards_backwards_gives_the_bytes_of_two_actors(
    own_run: Recipe, labelled_run: Recipe
) -> None:
    threads = torch.get_num_threads()
    try:
        job = LabelJob(own_run)
        for entry in reversed(sources(own_run)):
            job(entry.shard)
    finally:
        torch.set_num_threads(threads)
    own, pool = target_store(own_run), target_store(labelled_run)
    assert own.entries("unlabeled") == pool.entries("unlabeled")
    for entry in sources(own_run):
        assert Path(own.uri(entry.shard)).read_bytes() == Path(pool.uri(entry.shard)).read_bytes()


def test_with_a_tail_targets_are_the_posteriors_themselves(own_run: Recipe) -> None:
    recipe = own_run.model_copy(update={"labelling": own_run.labelling.model_copy(update={"k": 5, "tail": True})})
    shard, threads = sources(recipe)[0].shard, torch.get_num_threads()
    try:
        LabelJob(recipe)(shard)
    finally:
        torch.set_num_threads(threads)
    teacher, heard = load_teacher(recipe), heard_rows(recipe, sources(recipe)[0])
    slabs = list(target_store(recipe).read_slabs(shard))
    decoded = [row for slab in slabs for row in targets.decode(slab)]
    for row, label in list(zip(heard, decoded, strict=True))[::9]:
        (whole,) = teacher.log_probabilities([torch.from_numpy(stack(row.frames).astype(np.float32))])
        largest = whole.exp().topk(5, dim=1).values.numpy()
        wanted = -np.sort(-np.concatenate([largest, 1 - largest.sum(1, keepdims=True)], 1), axis=1)
        np.testing.assert_allclose(np.exp(label.targets.log_probs), wanted, rtol=TopKCodec(6).step + 1e-3, atol=1e-6)
        assert (label.targets.senones == SENONES).sum(axis=1).tolist() == [1] * len(wanted)
        assert label.confidence == pytest.approx(float(largest[:, 0].mean()), abs=1e-3)
    for slab in slabs:
        check_slab(slab, SENONES)
        with pytest.raises(Damage, match="says that 90 is the tail, but its teacher has 89 senones"):
            check_slab(slab, SENONES - 1)


def test_only_shards_with_new_features_are_labelled_anew(labelled_run: Recipe, tmp_path: Path) -> None:
    recipe = copy_run(labelled_run, tmp_path / "run", "features", "ledger", "models", "targets")
    store, stale = target_store(recipe), sources(recipe)[1]
    of_old = dataclasses.replace(store.entry(stale.shard), parents={"features": "old"})
    filesystem.write_bytes(store.ledger_uri(stale.shard), of_old.to_json())
    leftover = Path(store.uri(Shard("unlabeled", 0)) + ".tmp-0123abcd")
    leftover.write_bytes(b"half a shard of a dead writer")
    report = run_labelling(recipe)
    assert report.pieces - report.skipped == 1
    assert not leftover.exists()
    assert store.entries("unlabeled") == target_store(labelled_run).entries("unlabeled")


def test_a_shard_cut_in_half_is_listed_and_the_others_are_labelled(own_run: Recipe) -> None:
    entries = sources(own_run)
    path = Path(ShardStore(own_run.run, features.STORE).uri(entries[0].shard))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"utterances were rejected .* above corpus\.max_reject_share=0\.1"):
        run_labelling(own_run)
    labelled = target_store(own_run).entries("unlabeled")
    assert [entry.shard for entry in labelled] == [entry.shard for entry in entries[1:]]
    (line,) = filesystem.read_bytes(rejects_uri(own_run.run, "labelling")).decode().splitlines()
    assert entries[0].shard.name in line
    assert "not a whole Parquet file" in line


def test_a_teacher_that_does_not_fit_is_refused_before_any_work(own_run: Recipe) -> None:
    save_teacher(own_run, outputs=7)
    with pytest.raises(ValueError, match=r"has 7 senones; targets need at least labelling\.k=20"):
        run_labelling(own_run)
    filesystem.delete(model_uri(own_run.run, "teacher"))
    with pytest.raises(ValueError, match=r"teacher\.safetensors is missing; run the teacher stage first"):
        run_labelling(own_run)


def test_an_utterance_too_short_for_a_frame_keeps_its_row(teacher_run: Recipe) -> None:
    threads = torch.get_num_threads()
    try:
        job = LabelJob(teacher_run)
        generator = np.random.default_rng(0)
        labels = job.label([generator.standard_normal((n, 64)).astype(np.float16) for n in (30, 2, 0, 7)])
    finally:
        torch.set_num_threads(threads)
    assert [len(label.senones) for label, _ in labels] == [10, 0, 0, 2]
    assert sum((kept for _, kept in labels), KeptMass()).frames == 12


def test_a_teacher_of_nan_labels_nothing(teacher_run: Recipe) -> None:
    threads = torch.get_num_threads()
    try:
        job = LabelJob(teacher_run)
        torch.nn.init.constant_(job.teacher.model.senones.bias, float("nan"))
        with pytest.raises(ValueError, match=r"teacher \w{12} gives NaN or infinite logits; train it again"):
            job.label([np.zeros((30, 64), np.float16)])
    finally:
        torch.set_num_threads(threads)
