"""What a student reads of a labelled run: all of it, or a selection by the teacher's confidence."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus.augment.speed import speed_of
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.labelling.top_k import CONFIDENCE_BINS, confidence_bin
from ssl_asr.recipe import Recipe
from ssl_asr.store import alignments, features, targets, utterance
from ssl_asr.store.alignments import Confidence
from ssl_asr.store.copies import recording_of
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.selection import Selection, selection_of
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import SlabRef, source_of
from tests.parallel_run import COPIES


def selecting(recipe: Recipe, share: float) -> Recipe:
    student = recipe.student.model_copy(update={"selection": "uniform-confidence", "selected_share": share})
    return recipe.model_copy(update={"student": student})


def slabs(recipe: Recipe) -> tuple[SlabRef, ...]:
    finished = ShardStore(recipe.run, features.STORE).index("unlabeled")
    return tuple(source_of("unlabeled", "unlabeled", finished, recipe.seed))


def read(recipe: Recipe) -> list[list[int]]:
    """30 ms frames of every example that the student's reader gives, slab by slab."""
    target_set = target_set_id(recipe)
    selection = selection_of(recipe, target_set)
    reader = SlabReader(recipe.run, recipe.frontend.mel_bins, "none", target_set, selection)
    return [[len(each.frames) for each in reader.read("unlabeled", ref, 0)] for ref in slabs(recipe)]


def rows(recipe: Recipe) -> list[targets.TargetRow]:
    store = ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))
    return [row for ref in slabs(recipe) for row in targets.decode(store.read_slab(ref.shard, ref.slab))]


def histogram(rows: list[targets.TargetRow]) -> np.ndarray:
    frames = np.zeros(CONFIDENCE_BINS)
    for row in rows:
        frames[confidence_bin(row.confidence)] += len(row.targets.senones)
    return frames


def test_everything_is_read_unless_a_selection_is_asked_for(labelled_run: Recipe) -> None:
    assert selection_of(labelled_run, target_set_id(labelled_run)) is None
    whole = read(labelled_run)
    assert sum(map(sum, whole)) == sum(len(row.targets.senones) for row in rows(labelled_run))
    assert read(selecting(labelled_run, 1.0)) == whole


def test_what_is_stored_at_two_bits_is_heard_as_it_decodes(labelled_run: Recipe, tmp_path: Path) -> None:
    shutil.copytree(labelled_run.run, tmp_path / "run")
    run, encoding = str(tmp_path / "run"), features.COLUMN_ENCODING[2]
    store, target_set = ShardStore(run, features.STORE), target_set_id(labelled_run)
    for entry in store.entries("unlabeled"):
        tables = [features.encode(features.decode(slab, 64), 2) for slab in store.read_slabs(entry.shard)]
        written = {"column_encoding": encoding, "unbounded": encoding, "seconds": entry.seconds, "metadata": {}}
        store.publish(entry.shard, features.SCHEMAS[2], tables, entry.slabs, parents=entry.parents, **written)
    before = SlabReader(labelled_run.run, 64, "none", target_set)
    for ref in slabs(labelled_run):
        rows = {row.id: row.frames for row in features.decode(store.read_slab(ref.shard, ref.slab), 64)}
        heard = SlabReader(run, 64, "none", target_set).read("unlabeled", ref, 0)
        for example, like in zip(heard, before.read("unlabeled", ref, 0), strict=True):
            assert (example.id, example.frames.dtype) == (like.id, np.float16)
            np.testing.assert_array_equal(example.targets.senones, like.targets.senones)
            np.testing.assert_array_equal(example.frames, stack(rows[example.id]))
            assert 0 < np.abs(example.frames.astype(np.float32) - like.frames).mean() < 0.4


def test_who_learns_from_targets_never_sees_a_text_of_unlabeled_speech(labelled_run: Recipe) -> None:
    """The manifest holds texts, for the topline; a reader that joins it for an objective leaves them out."""
    said = ShardStore(labelled_run.run, utterance.STORE)
    known = [row.text for shard in said.shards("unlabeled") for row in utterance.decode(said.read(shard))]
    assert all(known)
    reader = SlabReader(labelled_run.run, 64, "none", target_set_id(labelled_run), with_text=True)
    examples = [each for ref in slabs(labelled_run) for each in reader.read("unlabeled", ref, 0)]
    assert len(examples) > 20
    assert {each.text for each in examples} == {None}
    assert all(each.tags for each in examples)
    assert all(each.targets.posteriors is not None for each in examples)


def test_labels_of_unlabeled_speech_are_read_by_nobody_who_did_not_ask_for_them(
    labelled_run: Recipe, tmp_path: Path
) -> None:
    shutil.copytree(labelled_run.run, tmp_path / "run")
    run, senone_set = str(tmp_path / "run"), load_senones(labelled_run.run).id
    heard, aligned = ShardStore(run, features.STORE), ShardStore(run, alignments.store_name(senone_set))
    for entry in heard.entries("unlabeled"):
        rows = [features.decode(slab, 64) for slab in heard.read_slabs(entry.shard)]
        tables = [
            alignments.encode([row.id for row in slab], [np.full(len(row.frames), 7, np.uint16) for row in slab])
            for slab in rows
        ]
        aligned.publish(entry.shard, alignments.SCHEMA, tables, entry.slabs, seconds=1, parents={}, metadata={})
    ref = slabs(labelled_run)[0]
    true = SlabReader(run, 64, senone_set, true_labels=True, with_text=True)
    for offset in range(3):
        examples = true.read("unlabeled", ref, offset)
        assert {int(each.targets.senones.min()) for each in examples} == {7}
        assert all(each.targets.posteriors is None and each.text for each in examples)
    student = SlabReader(run, 64, senone_set, target_set_id(labelled_run))
    assert all(each.targets.posteriors is not None for each in student.read("unlabeled", ref, 0))
    with pytest.raises(AssertionError, match="soft targets need a target set"):
        SlabReader(run, 64, senone_set).read("unlabeled", ref, 0)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_share_and_an_even_spread_are_read(labelled_run: Recipe, share: float) -> None:
    recipe = selecting(labelled_run, share)
    every, before = rows(recipe), histogram(rows(recipe))
    shares = selection_of(recipe, target_set_id(recipe)).shares
    kept = [[row for row in every if Selection(seed, shares).keeps(row.id, row.confidence)] for seed in range(60)]
    # One draw of a hundred utterances or so strays; the mean of many draws is what was asked for.
    mean = np.mean([histogram(each) for each in kept], axis=0)
    assert mean.sum() / before.sum() == pytest.approx(share, abs=0.04)
    np.testing.assert_allclose(mean, before * shares, atol=0.03 * before.sum())
    mine = selection_of(recipe, target_set_id(recipe))
    wanted = [
        len(row.targets.senones) for row in every if mine.keeps(row.id, row.confidence) and len(row.targets.senones)
    ]
    assert [frames for slab in read(recipe) for frames in slab] == wanted
    assert len(read(recipe)) == len(slabs(recipe))
    assert [row.id for row in rows(recipe)] == [row.id for row in every]


def test_a_copy_has_the_targets_of_its_recording_and_is_selected_with_it(parallel_run: Recipe) -> None:
    target_set = target_set_id(parallel_run)
    for share in (1.0, 0.4):
        recipe = selecting(parallel_run, share)
        reader = SlabReader(recipe.run, 64, "none", target_set, selection_of(recipe, target_set))
        examples = [each for ref in slabs(recipe) for each in reader.read("unlabeled", ref, 0)]
        recorded = {row.id: row for row in rows(recipe) if len(row.targets.senones)}
        versions: dict[str, list[Example]] = {}
        for each in examples:
            versions.setdefault(recording_of(each.id, each.condition), []).append(each)
        assert all(len(group) == 1 + COPIES for group in versions.values())
        assert len(versions) == len(recorded) if share == 1.0 else 0 < len(versions) < len(recorded)
        for name, group in versions.items():
            wanted = recorded[name].targets
            for each in group:
                factor, frames = speed_of(each.condition), len(each.frames)
                assert frames == pytest.approx(len(wanted.senones) / factor, abs=1.5 if factor != 1 else 0)
                places = np.minimum(((np.arange(frames) + 0.5) * factor).astype(int), len(wanted.senones) - 1)
                np.testing.assert_array_equal(each.targets.senones, wanted.senones[places])
                np.testing.assert_array_equal(each.targets.posteriors, np.exp(wanted.log_probs[places]))
                assert factor != 1 or each.targets is group[0].targets  # decoded once
            assert len({each.frames.tobytes() for each in group}) == 1 + COPIES


def test_labels_weigh_what_their_alignment_says(tmp_path: Path) -> None:
    frames = np.ones((30, 64), np.float16)
    rows = [features.FeatureRow(name, "anna", "clean", frames) for name in ("sure", "doubted", "wrong", "rejected")]
    senones = [np.full(length, 7) for length in (30, 30, 30, 0)]
    trust = [Confidence(), Confidence(-0.1, 0.4, 0.4), Confidence(-3.0, 0.01, 0.0), Confidence()]
    labels = alignments.encode([row.id for row in rows], senones, trust)
    shard, common = Shard("labeled", 0), {"seconds": 1.2, "parents": {}, "metadata": {}}
    for name, schema, table in (
        (features.STORE, features.SCHEMA, features.encode(rows)),
        (alignments.store_name("set"), alignments.SCHEMA, labels),
    ):
        ShardStore(str(tmp_path), name).publish(shard, schema, [table], [120], **common)
    reader = SlabReader(str(tmp_path), 64, "set")
    assert [(each.id, each.weight) for each in reader.read("labeled", SlabRef(shard, 0, 120), 0)] == [
        ("sure", 1.0),
        ("doubted", pytest.approx(0.4)),
    ]
