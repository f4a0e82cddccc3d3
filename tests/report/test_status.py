"""`ssl-asr status` at the points where someone asks."""

from __future__ import annotations

from ssl_asr.report.status import rejects, statuses
from ssl_asr.stage import StageClock
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from tests.report.example_run import TEACHER_ID, example_recipe, fill


def by_stage(recipe):
    return {row.stage: row for row in statuses(recipe)}


def test_nothing_run_yet(tmp_path):
    assert {row.state for row in statuses(example_recipe(tmp_path))} == {"waiting"}


def test_finished_run(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    rows = by_stage(recipe)
    assert {row.state for name, row in rows.items() if name != "report"} == {"done"}
    assert rows["frontend"].rejected == 1
    assert rows["report"].state == "waiting"
    assert rows["teacher"].unit == "slabs"


def test_stages_under_way_count_shards_and_blocks(tmp_path):
    recipe = example_recipe(tmp_path)
    fill(recipe)
    for stage in ("labelling", "student", "hmm"):
        filesystem.delete(f"{recipe.run}/stages/{stage}.json")
    for number in (8, 9):
        filesystem.delete(ShardStore(recipe.run, f"targets/{TEACHER_ID}").ledger_uri(Shard("unlabeled", number)))
    StageClock(recipe, "labelling", "key").beat()
    rows = by_stage(recipe)
    labelling, student, hmm = rows["labelling"], rows["student"], rows["hmm"]
    assert (labelling.state, labelling.done, labelling.total, labelling.unit) == ("begun", 8, 10, "shards")
    assert labelling.seconds is not None
    assert (hmm.state, hmm.done, hmm.total) == ("waiting", 0, 14)
    # 18 labeled slabs 5 times and 20 unlabeled slabs 3 times, 2 workers of 2 slabs a block, no block across phases
    assert (student.state, student.done, student.unit) == ("begun", 80, "blocks")
    assert student.total == 5 * 5 + 5 * 3


def test_rejects_of_reports_and_of_ledgers_once_each(tmp_path):
    recipe = example_recipe(tmp_path)
    store = ShardStore(recipe.run, "features")
    from ssl_asr.store import features

    store.publish(
        Shard("dev", 0),
        features.SCHEMA,
        [],
        [],
        seconds=1,
        parents={},
        metadata={},
        rejects=[Reject("b", "NaN"), Reject("a", "empty")],
    )
    StageClock(recipe, "frontend", "key").finish(1, 0, [Reject("a", "empty")])
    StageClock(recipe, "corpus", "key").finish(1, 0, [Reject("z", "missing")])
    assert [(stage, each.id) for stage, each in rejects(recipe)] == [
        ("corpus", "z"),
        ("frontend", "a"),
        ("frontend", "b"),
    ]
