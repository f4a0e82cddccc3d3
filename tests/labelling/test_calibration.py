"""Calibration against what is known of teachers made for the purpose, and its file in a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.senones import SenoneSet, save_senones
from ssl_asr.labelling.calibration import calibrate, empty_table, table_of
from ssl_asr.labelling.calibration_file import calibration_figures, calibration_uri, measure, read_calibration
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe import Recipe
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.shards import ShardStore
from tests.labelling.conftest import SENONES

RANDOM = np.random.default_rng(5)


def posteriors(frames: int, spread: float) -> np.ndarray:
    logits = RANDOM.standard_normal((frames, 12)) * spread
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def drawn(log_probs: np.ndarray) -> np.ndarray:
    """Labels as likely as they are said to be: the teacher of these is calibrated."""
    ends = np.cumsum(np.exp(log_probs), axis=1)
    return np.minimum((RANDOM.random((len(ends), 1)) > ends).sum(axis=1), ends.shape[1] - 1)


def test_a_calibrated_teacher_has_no_error_and_a_sharpened_one_has() -> None:
    honest = posteriors(40_000, 2.0)
    labels = drawn(honest)
    by_frame, by_utterance = calibrate(honest, labels)
    assert by_frame.expected_error < 0.01
    assert by_frame.mean_confidence == pytest.approx(by_frame.accuracy, abs=0.01)
    assert by_utterance.frames.sum() == by_frame.frames.sum() == 40_000
    sharp = 3 * honest
    sharp -= np.log(np.exp(sharp).sum(axis=1, keepdims=True))
    boastful, _ = calibrate(sharp, labels)
    assert boastful.accuracy == by_frame.accuracy
    assert boastful.expected_error > 0.1
    assert all(each.confidence > each.accuracy for each in boastful.bins() if each.frames > 500)


def test_bins_hold_their_own_frames() -> None:
    table = table_of(np.array([0.0, 0.05, 0.55, 1.0]), np.array([0, 1, 0, 1]), np.ones(4, int))
    bins = table.bins()
    assert [each.frames for each in bins] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (bins[0].confidence, bins[0].accuracy) == (0.025, 0.5)
    assert (bins[1].confidence, bins[1].accuracy) == (0.0, 0.0)
    assert (bins[9].low, bins[9].high, bins[9].confidence) == (0.9, 1.0, 1.0)
    assert table.expected_error == pytest.approx((0.95 + 0.55) / 4)


def test_tables_of_parts_add_up() -> None:
    log_probs = posteriors(1000, 2.0)
    labels = drawn(log_probs)
    whole, _ = calibrate(log_probs, labels)
    parts = calibrate(log_probs[:300], labels[:300])[0] + calibrate(log_probs[300:], labels[300:])[0]
    np.testing.assert_allclose(parts.correct, whole.correct)
    np.testing.assert_allclose(parts.confidence, whole.confidence)
    assert empty_table().expected_error == 0.0


def align_dev(recipe: Recipe, senone: int) -> int:
    """As if every dev frame but those of a first utterance were of this senone; returns the 30 ms frames."""
    table = np.full((2, 2, 2), 1, np.uint16)
    table[:, 0] = 0
    senones = SenoneSet(PhoneSet(("SIL", "AH")), table, np.ones(SENONES))
    save_senones(recipe.run, senones)
    heard, frames = ShardStore(recipe.run, features.STORE), 0
    store = ShardStore(recipe.run, alignments.store_name(senones.id))
    for entry in heard.entries("dev"):
        rows = [features.decode(slab, 64) for slab in heard.read_slabs(entry.shard)]
        labels = [[np.full(len(row.frames), senone, np.uint16) for row in slab] for slab in rows]
        labels[0][0] = labels[0][0][:0]
        frames += sum(len(stack_labels(each)) for slab in labels for each in slab)
        slabs = [alignments.encode([row.id for row in slab], said) for slab, said in zip(rows, labels, strict=True)]
        counts = [sum(map(len, said)) for said in labels]
        parents = {"features": entry.checksum}
        store.publish(entry.shard, alignments.SCHEMA, slabs, counts, seconds=1, parents=parents, metadata={})
    return frames


def test_a_run_keeps_its_calibration_and_measures_it_once(own_run: Recipe, ray_local: None) -> None:
    frames = align_dev(own_run, 7)
    figures = calibration_figures(own_run)
    kept = read_calibration(own_run)
    assert kept.frames == frames == sum(each.frames for each in kept.by_frame.bins)
    assert figures == {"dev_confidence": kept.by_frame.confidence, "calibration_error": kept.by_frame.expected_error}
    assert kept.by_frame == measure(own_run).by_frame
    assert kept.by_utterance.accuracy == pytest.approx(kept.by_frame.accuracy)
    # An untrained teacher of 90 senones is sure of nothing.
    assert kept.by_frame.confidence < 0.1
    uri = calibration_uri(own_run)
    marked = filesystem.read_bytes(uri) + b" "
    filesystem.write_bytes(uri, marked)
    assert calibration_figures(own_run) == figures
    assert filesystem.read_bytes(uri) == marked
    align_dev(own_run, 8)
    assert calibration_figures(own_run) != figures or filesystem.read_bytes(uri) != marked


def test_degraded_copies_of_dev_are_left_out(own_run: Recipe) -> None:
    store = ShardStore(own_run.run, features.STORE)
    for entry in store.entries("dev"):
        clean = [features.decode(slab, 64) for slab in store.read_slabs(entry.shard)]
        tables = [features.encode([*slab, *(_in_a_room(row) for row in slab)]) for slab in clean]
        counts = [2 * frames for frames in entry.slabs]
        store.publish(entry.shard, features.SCHEMA, tables, counts, seconds=1, parents={}, metadata={})
    frames = align_dev(own_run, 7)
    # The first utterance of a shard has no label, so that the copies have a few frames more than the clean speech.
    assert 0 < measure(own_run).frames < frames / 2


def _in_a_room(row: FeatureRow) -> FeatureRow:
    return replace(row, id=f"{row.id}@room", condition="room")


def test_without_aligned_dev_speech_the_figure_says_so(own_run: Recipe) -> None:
    said = {"calibration": "not measured: there is no aligned dev speech"}
    assert calibration_figures(own_run) == said
    align_dev(own_run, 7)
    filesystem.delete(f"{own_run.run}/ledger/features/dev")
    assert calibration_figures(own_run) == said
    assert read_calibration(own_run) is None


def test_a_damaged_file_is_named(own_run: Recipe) -> None:
    filesystem.write_bytes(calibration_uri(own_run), b'{"frames": 3')
    with pytest.raises(
        ValueError, match=r"calibration\.json is not a whole calibration .* delete it and run labelling"
    ):
        read_calibration(own_run)
