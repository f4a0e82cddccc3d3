"""`ssl-asr status` at the points where someone asks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ssl_asr.corpus.shuffle import PIECE_SCHEMA, pieces_store
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.progress import Step
from ssl_asr.recipe import parse_recipe
from ssl_asr.report.status import status_table, statuses
from ssl_asr.runtime.job_runner import HOURS
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import filesystem, hypotheses
from ssl_asr.store.layout import heartbeat_uri, stage_report_uri
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import curve_uri
from tests.report.example_run import example_recipe, fill, target_store


def lengthen_manifest(recipe, split: str, seconds: float) -> None:
    store = ShardStore(recipe.run, "manifest")
    for entry in store.entries(split):
        filesystem.write_bytes(store.ledger_uri(entry.shard), replace(entry, seconds=seconds).to_json())


def by_stage(recipe):
    return {row.stage: row for row in statuses(recipe)}


def test_nothing_run_yet(tmp_path):
    states = {row.stage: row.state for row in statuses(example_recipe(tmp_path))}
    assert not {"realign", "topline"} & {*states}  # the recipe asks for none
    assert {*states.values()} == {"waiting"}


def test_finished_run(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    rows = by_stage(recipe)
    assert {row.state for name, row in rows.items() if name != "report"} == {"done"}
    assert rows["frontend"].rejected == 1
    assert rows["report"].state == "waiting"
    assert rows["teacher"].unit == "slabs"


def test_finished_stages_say_what_they_have_counted(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    values = recipe.model_dump(mode="json") | {"transducers": {"rnnt": {"unlabeled_passes": 0}}}
    recipe = parse_recipe(values)
    StageClock(recipe, "transducers", "key").finish(1180, 0)
    assert "1180/1180 slabs" in line_of(recipe, "transducers")
    assert {row.unit for row in statuses(recipe)} == {"shards", "slabs", "decoded slabs", "pages"}


def test_stages_under_way_count_shards_and_blocks(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    for stage in ("labelling", "student", "hmm"):
        filesystem.delete(f"{recipe.run}/stages/{stage}.json")
    for number in (8, 9):
        filesystem.delete(target_store(recipe).ledger_uri(Shard("unlabeled", number)))
    StageClock(recipe, "labelling", target_set_id(recipe)).heartbeat()
    rows = by_stage(recipe)
    labelling, student, hmm = rows["labelling"], rows["student"], rows["hmm"]
    assert (labelling.state, labelling.done, labelling.total, labelling.unit) == ("begun", 8, 10, "shards")
    assert labelling.seconds is not None
    assert (hmm.state, hmm.done, hmm.total) == ("waiting", 0, 14)
    # 18 labeled slabs 5 times and 20 unlabeled slabs 3 times, 2 workers of 2 slabs a block, no block across phases
    assert (student.state, student.done, student.unit) == ("begun", 80, "blocks")
    assert student.total == 5 * 5 + 5 * 3


def write_blocks(recipe, model: str, blocks: int, phase: int = 0) -> None:
    record = {"phase": phase, "source": "labeled", "loss": 1.0, "workers": 2, "frames": 9, "seconds": 1.0}
    lines = [json.dumps({**record, "block": block}) + "\n" for block in range(blocks)]
    filesystem.write_bytes(curve_uri(recipe.run, model), "".join(lines).encode())


def test_blocks_of_sequence_training_count_when_their_turn_has_come(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    filesystem.delete(stage_report_uri(recipe.run, "student"))
    sequence = recipe.student.sequence.model_copy(update={"epochs": 3})
    recipe = recipe.model_copy(update={"student": recipe.student.model_copy(update={"sequence": sequence})})
    total = 5 * 5 + 5 * 3 + 3 * 5  # as above, and three times 18 labeled slabs
    write_blocks(recipe, "student", 30, phase=9)
    assert (by_stage(recipe)["student"].done, by_stage(recipe)["student"].total) == (30, total)
    write_blocks(recipe, "student-smbr-first", 5)
    write_blocks(recipe, "student-smbr", 2)
    assert by_stage(recipe)["student"].done == 37
    # While the student is trained by cross-entropy again, what was made of it before does not count.
    write_blocks(recipe, "student", 30, phase=8)
    assert (by_stage(recipe)["student"].done, by_stage(recipe)["student"].total) == (30, total)
    folds = recipe.student.model_copy(update={"sequence": sequence.model_copy(update={"folds": 3})})
    recipe = recipe.model_copy(update={"student": folds})
    write_blocks(recipe, "student", 30, phase=9)
    write_blocks(recipe, "student-fold-0", 4)
    row = by_stage(recipe)["student"]
    assert row.done == 34
    assert row.total == pytest.approx(total + 3 * 40 * 0.5, rel=0.2)  # folds: half of the passes


def test_transducers_under_way_count_the_blocks_of_all(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    filesystem.delete(stage_report_uri(recipe.run, "transducers"))
    mine = {"sub_epochs": 2, "labeled_passes": 1, "sync": {"block_slabs": 2}}
    transducers = {"first": {**mine, "unlabeled_passes": 0}, "second": {**mine, "unlabeled_passes": 1}}
    recipe = parse_recipe(
        recipe.model_dump(mode="json") | {"transducers": transducers, "hypotheses": {"teacher": "student"}}
    )
    assert (by_stage(recipe)["transducers"].state, by_stage(recipe)["transducers"].total) == ("waiting", None)
    write_blocks(recipe, "first", 3)
    row = by_stage(recipe)["transducers"]
    # 18 labeled slabs twice each, 20 unlabeled ones once; 2 workers of 2 slabs a block, no block across phases
    assert (row.state, row.done, row.total, row.unit) == ("begun", 3, 2 * 5 + 2 * 5 + 2 * 3, "blocks")
    write_blocks(recipe, "first", 10, phase=1)
    write_blocks(recipe, "second", 4)
    assert by_stage(recipe)["transducers"].done == 14


def line_of(recipe, stage: str) -> str:
    return next(line for line in status_table(recipe).splitlines() if line.startswith(stage))


def test_networks_that_are_counted_together_are_named(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    assert "together" not in status_table(recipe)
    student = recipe.student.model_copy(update={"shorter_baseline": 0.5})
    both = line_of(recipe.model_copy(update={"student": student}), "baseline")
    assert both == f"{line_of(recipe, 'baseline')}  baseline and short baseline together"


def labelling_under_way(recipe, done: int, seconds: float, work_seconds: float) -> None:
    """As a driver that is labelling, or was killed, leaves the run; a shard of the example is 2.5 s of audio."""
    filesystem.delete(stage_report_uri(recipe.run, "labelling"))
    for number in range(done, 10):
        filesystem.delete(target_store(recipe).ledger_uri(Shard("unlabeled", number)))
    note = {"key": target_set_id(recipe), "seconds": seconds, "work_seconds": work_seconds}
    filesystem.write_bytes(heartbeat_uri(recipe.run, "labelling"), json.dumps(note).encode())


def test_labelling_under_way_tells_speed_time_left_and_cost(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    lengthen_manifest(recipe, "unlabeled", 2.5)
    labelling_under_way(recipe, 8, seconds=5.0, work_seconds=1800.0)
    said = {row.stage: row.throughput for row in statuses(recipe)}["labelling"]
    assert (said.done, said.total, said.seconds_left) == (20.0, 25.0, 1.25)
    assert line_of(recipe, "labelling").endswith(
        "0.01 of 0.01 h of audio, 4 x real time, 1 s left, 0.500 actor hours"
    )
    corpus = recipe.corpus.model_copy(update={"unlabeled_copies": 1})  # half of the manifest is never labelled
    parallel = {row.stage: row.throughput for row in statuses(recipe.model_copy(update={"corpus": corpus}))}
    assert (parallel["labelling"].done, parallel["labelling"].total) == (20.0, 22.5)
    cluster = recipe.cluster.model_copy(update={"price_per_actor_hour": 3.0})
    assert line_of(recipe.model_copy(update={"cluster": cluster}), "labelling").endswith("actor hours, cost 1.50")


def test_hypotheses_count_the_shards_of_their_last_attempt(tmp_path):
    recipe = example_recipe(tmp_path)
    asked = recipe.model_copy(update={"hypotheses": recipe.hypotheses.model_copy(update={"teacher": "student"})})
    fill(recipe)
    lengthen_manifest(recipe, "unlabeled", 2.5)
    filesystem.delete(stage_report_uri(recipe.run, "hypotheses"))
    assert "hypotheses" not in by_stage(recipe)
    waiting = by_stage(asked)["hypotheses"]
    assert (waiting.state, waiting.done, waiting.total, waiting.unit) == ("waiting", 0, 10, "shards")
    for name, shards in (("now", 4), ("before", 9)):
        store = ShardStore(recipe.run, hypotheses.store_name(name))
        for number in range(shards):
            shard = Shard("unlabeled", number)
            store.publish(shard, hypotheses.SCHEMA, [], [], seconds=2.5, parents={}, metadata={})
    note = {"key": "now", "seconds": 5.0, "work_seconds": 10.0}
    filesystem.write_bytes(heartbeat_uri(recipe.run, "hypotheses"), json.dumps(note).encode())
    begun = by_stage(asked)["hypotheses"]
    assert (begun.state, begun.done, begun.total) == ("begun", 4, 10)
    assert (begun.throughput.done, begun.throughput.total) == (10.0, 25.0)


def test_before_its_first_shard_a_stage_knows_no_speed(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    labelling_under_way(recipe, 0, seconds=5.0, work_seconds=0.0)
    line = line_of(recipe, "labelling")
    assert "x real time" not in line
    assert "left" not in line


def test_targets_of_another_teacher_are_not_progress(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    StageClock(recipe, "labelling", "ffffffffffff-000000").heartbeat()
    assert by_stage(recipe)["labelling"].done == 0


def test_finished_stages_tell_their_speed(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    for stage in ("frontend", "labelling"):
        assert line_of(recipe, stage).rstrip().endswith("x real time")
    assert by_stage(recipe)["hmm"].throughput is None


def test_the_corpus_stage_tells_its_step(tmp_path):
    """Most of its time it reads lists and cuts recordings, and has no shard of the manifest yet."""
    recipe = example_recipe(tmp_path)
    clock = StageClock(recipe, "corpus", "key")
    clock.heartbeat()
    assert by_stage(recipe)["corpus"].line().split()[:3] == ["corpus", "begun", "-"]
    rejects = [Reject("a", "empty")]
    pieces_store(recipe.run).publish(
        Shard("unlabeled", 0), PIECE_SCHEMA, [], [], seconds=1, parents={}, metadata={}, rejects=rejects
    )
    for step, said in (
        (Step("reading unlabeled", 812, 5000, "shards"), "812/5000 parts        1"),
        (Step("cutting long recordings of unlabeled", 12.8, 3999.2, HOURS), "12/4000 hours        1"),
    ):
        clock.note(step)
        clock.heartbeat()
        assert said in line_of(recipe, "corpus")
        assert line_of(recipe, "corpus").endswith(f"  {step.what}")
    clock.note(None)
    clock.heartbeat()
    assert by_stage(recipe)["corpus"].step == ""
