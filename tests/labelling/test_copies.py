"""Parallel data: the teacher labels each recording once, and its degraded copies have the same targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssl_asr.corpus.augment.speed import fits, speed_of
from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, targets
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import TargetRow
from ssl_asr.store.utterance import CLEAN
from ssl_asr.verifying.run import verify
from tests.labelling.conftest import copy_run, target_store
from tests.parallel_run import COPIES

Slab = tuple[list[FeatureRow], list[TargetRow]]


def slabs_of(recipe: Recipe, *shards: Shard) -> list[Slab]:
    heard, store = ShardStore(recipe.run, features.STORE), target_store(recipe)
    return [
        (features.decode(rows, recipe.frontend.mel_bins), targets.decode(labels))
        for shard in shards or heard.shards("unlabeled")
        for rows, labels in zip(heard.read_slabs(shard), store.read_slabs(shard), strict=True)
    ]


def test_a_recording_and_its_copies_lie_in_one_slab_and_share_its_row_of_targets(parallel_run: Recipe) -> None:
    slabs = slabs_of(parallel_run)
    assert len(slabs) > 3
    for rows, labels in slabs:
        assert [row.id for row in rows] == [label.id for label in labels]
        pairs = list(zip(rows, labels, strict=True))
        for begin in range(0, len(pairs), 1 + COPIES):
            (clean, whole), *copies = pairs[begin : begin + 1 + COPIES]
            assert clean.condition == CLEAN
            assert len(whole.targets.senones) == len(clean.frames) // 3 > 0
            assert len({row.condition for row, _ in copies}) == COPIES
            for row, label in copies:
                assert row.id == f"{clean.id}@{row.condition}"
                assert fits(len(row.frames), len(clean.frames), speed_of(row.condition))
                assert (len(label.targets.senones), label.confidence) == (0, 0.0)


def alone(recipe: Recipe, run: Path, clean_too: bool) -> Recipe:
    """The first shard without its copies, or with the first copy of each recording and no clean speech."""
    other = copy_run(recipe, run, "models")
    source = ShardStore(recipe.run, features.STORE)
    slabs = []
    for table in source.read_slabs(Shard("unlabeled", 0)):
        rows = features.decode(table, recipe.frontend.mel_bins)
        slabs.append(rows[0 if clean_too else 1 :: 1 + COPIES])
    counts = [sum(len(row.frames) for row in slab) for slab in slabs]
    ShardStore(other.run, features.STORE).publish(
        Shard("unlabeled", 0),
        features.SCHEMA,
        [features.encode(slab) for slab in slabs],
        counts,
        seconds=1.0,
        parents={},
        metadata={"mel_bins": "64"},
    )
    LabelJob(other)(Shard("unlabeled", 0))
    return other


def test_targets_are_those_of_the_recordings_without_copies(parallel_run: Recipe, tmp_path: Path) -> None:
    """The teacher is given the same batches, so its time is the same; the store is as large but for the ids."""
    shard = Shard("unlabeled", 0)
    plain = alone(parallel_run, tmp_path / "run", clean_too=True)
    with_copies, without = (target_store(recipe).entry(shard) for recipe in (parallel_run, plain))
    assert with_copies.frames == without.frames
    assert with_copies.rows == (1 + COPIES) * without.rows
    kept, bare = (dict(entry.statistics) for entry in (with_copies, without))
    assert kept.pop("bytes_per_frame") < 1.1 * bare.pop("bytes_per_frame")
    assert kept == bare
    assert set(kept["conditions"]) == {CLEAN}
    found = [label for _, labels in slabs_of(parallel_run, shard) for label in labels[:: 1 + COPIES]]
    wanted = [label for _, labels in slabs_of(plain, shard) for label in labels]
    for label, want in zip(found, wanted, strict=True):
        assert (label.id, label.confidence) == (want.id, want.confidence)
        np.testing.assert_array_equal(label.targets.log_probs, want.targets.log_probs)


def test_a_copy_whose_recording_was_rejected_is_labelled_by_itself(parallel_run: Recipe, tmp_path: Path) -> None:
    orphans = alone(parallel_run, tmp_path / "run", clean_too=False)
    rows = [(row, label) for slab in slabs_of(orphans) for row, label in zip(*slab, strict=True)]
    assert rows
    for row, label in rows:
        assert row.condition != CLEAN
        assert len(label.targets.senones) == len(row.frames) // 3
    counted = target_store(orphans).entry(Shard("unlabeled", 0)).statistics["conditions"]
    assert sum(each["frames"] for each in counted.values()) == sum(len(label.targets.senones) for _, label in rows)
    assert set(counted) == {row.condition for row, _ in rows}


def test_verify_finds_nothing_wrong_with_copies_and_what_is_wrong(parallel_run: Recipe, tmp_path: Path) -> None:
    assert verify(parallel_run).findings == []
    damaged = copy_run(parallel_run, tmp_path / "run", "manifest", "features", "targets", "ledger", "models")
    swap_first_two(damaged)
    (finding,) = verify(damaged).findings
    assert "has other 30 ms frames in slab 0 than its features make" in finding.sentence


def swap_first_two(recipe: Recipe) -> None:
    """The recording's targets lie in the row of its copy, with all else as it should be."""
    shard, store = Shard("unlabeled", 0), target_store(recipe)
    entry, slabs = store.entry(shard), list(store.read_slabs(shard))
    order = [1, 0, *range(2, slabs[0].num_rows)]
    mixed = slabs[0].take(order)
    mixed = mixed.set_column(0, "id", slabs[0]["id"])
    metadata = {
        key.decode(): value.decode()
        for key, value in slabs[0].schema.metadata.items()
        if not key.startswith(b"ssl_asr.parent.")
    }
    store.publish(
        shard,
        targets.SCHEMA,
        [mixed, *slabs[1:]],
        list(entry.slabs),
        seconds=entry.seconds,
        parents=entry.parents,
        metadata=metadata,
        column_encoding=targets.COLUMN_ENCODING,
        statistics=entry.statistics,
    )
