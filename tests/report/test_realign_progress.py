"""What `status` and the page say of a run that is realigned."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.report.evidence import gather
from ssl_asr.report.status import StageStatus, statuses
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import features
from ssl_asr.store.layout import stage_report_uri
from ssl_asr.store.ledger import Shard
from ssl_asr.store.run_index import store_index
from ssl_asr.store.training_layout import curve_uri, model_uri
from tests.realigned_run import sets_of


def realign(recipe: Recipe) -> StageStatus:
    return next(row for row in statuses(recipe) if row.stage == "realign")


def test_shards_count_while_a_network_aligns_and_blocks_while_one_is_trained(realigned_run: Recipe) -> None:
    flat, first, last = sets_of(realigned_run)
    size, finished = len(store_index(flat).shards), realign(realigned_run)
    assert (finished.state, finished.done) == ("done", 2 + 2 * size)
    Path(stage_report_uri(realigned_run.run, "realign")).unlink()
    StageClock(realigned_run, "realign", "key").heartbeat()
    last.keep_only("test", [])
    tests = len(first.shards("test"))
    row = realign(realigned_run)
    assert (row.state, row.done, row.total, row.unit) == ("begun", size - tests, size, "shards")
    Path(model_uri(realigned_run.run, "aligner-2")).unlink()
    row = realign(realigned_run)
    assert (row.state, row.done, row.unit) == ("begun", row.total, "blocks")
    assert row.done > 0
    Path(curve_uri(realigned_run.run, "aligner-2")).unlink()
    row = realign(realigned_run)
    assert (row.done, row.total, row.unit) == (0, None, "blocks")
    first.keep_only("dev", [])
    row = realign(realigned_run)
    assert (row.done, row.total, row.unit) == (size - 1, size, "shards")
    first.keep_only("labeled", [Shard("labeled", 0)])
    assert realign(realigned_run).done == size - 2


def test_sets_of_networks_that_are_no_more_are_no_progress(realigned_run: Recipe) -> None:
    for name in ("aligner-1", "aligner-2"):
        Path(model_uri(realigned_run.run, name)).unlink()
        Path(curve_uri(realigned_run.run, name)).unlink()
    Path(stage_report_uri(realigned_run.run, "realign")).unlink()
    row = realign(realigned_run)
    assert (row.state, row.done, row.total) == ("waiting", 0, None)


def test_the_page_s_speed_of_hmm_is_of_the_alignments_that_it_made(realigned: Recipe) -> None:
    flat, *_ = sets_of(realigned)
    audio = gather(realigned).audio_seconds
    assert audio["hmm"] == pytest.approx(store_index(flat).total("frames") * features.FRAME_SECONDS)
    assert "realign" not in audio
