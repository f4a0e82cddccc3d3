"""Shards of one store made from those of another: what is left to do, why, and what is tidied away."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.runtime.shard_maker import ShardContent, ShardMaker, SourceShard, source_of_entry
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.runtime.stage_report import StageReport, keep_report
from ssl_asr.runtime.todo import NEW_VERSION, NOT_THERE, Todo
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

SCHEMA = pa.schema([("id", pa.string())])
STAGE, SPLITS = "frontend", ("labeled", "dev")


def parents_with(**fields: str) -> Inputs:
    return {"version": "1", **fields}


class Maker(ShardMaker):
    """Copies ids; notes which shards it was asked to make."""

    def __init__(self, run: str, **fields: str) -> None:
        super().__init__(ShardStore(run, "manifest"), ShardStore(run, "features"), ("loud",))
        self.fields, self.asked = fields, list[Shard]()

    def parents(self, source: SourceShard) -> Inputs:
        loud = {"noise": "n1"} if source.statistics["loud"] else {}
        return {**parents_with(manifest=source.checksum, **self.fields), **loud}

    def make(self, shard: Shard) -> ShardContent:
        self.asked.append(shard)
        ids = self.source.read_slab(shard, 0)["id"].to_pylist()
        if "bad" in ids:
            raise ValueError(f"{shard.name} cannot be used")
        rejects = [Reject(each, "empty") for each in ids if each.startswith("reject")]
        kept = [each for each in ids if not each.startswith("reject")]
        return ShardContent(SCHEMA, [table(kept)], [len(kept)], 1.0, {}, rejects=rejects)


def table(ids: Sequence[str]) -> pa.Table:
    return pa.table({"id": list(ids)}, schema=SCHEMA)


def list_shard(run: str, shard: Shard, ids: Sequence[str], loud: int = 0) -> None:
    ShardStore(run, "manifest").publish(
        shard, SCHEMA, [table(ids)], [len(ids)], seconds=1, parents={}, metadata={}, statistics={"loud": loud}
    )


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Three labeled shards, the last one with noise in it, and one of dev."""
    recipe = load_recipe("demo", [f"run={tmp_path}"])
    for number in range(3):
        list_shard(recipe.run, Shard("labeled", number), [f"l{number}-{row}" for row in range(4)], number == 2)
    list_shard(recipe.run, Shard("dev", 0), ["d0", "d1"])
    return recipe


def stage_of(recipe: Recipe, maker: Maker) -> ShardStage:
    return ShardStage(recipe, maker.source, maker.store, SPLITS, maker.parents, ("loud",))


def make_all(recipe: Recipe, maker: Maker) -> list[Reject]:
    failed = []
    for shard in stage_of(recipe, maker).unfinished():
        try:
            maker(shard)
        except ValueError as error:
            failed.append(Reject(shard.name, str(error)))
    return failed


def test_all_is_made_and_then_found_done(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    stage = stage_of(recipe, maker)
    assert (stage.size, stage.rows) == (4, 14)
    assert stage.unfinished() == [*(Shard("labeled", number) for number in range(3)), Shard("dev", 0)]
    assert make_all(recipe, maker) == []
    again = stage_of(recipe, maker)
    assert again.unfinished() == again.todo(STAGE, "features", [], "manifest") == []
    maker(Shard("labeled", 0))
    assert maker.asked == [*(Shard("labeled", number) for number in range(3)), Shard("dev", 0)]  # made once each
    entry = maker.store.entry(Shard("labeled", 2))
    source = maker.source.entry(Shard("labeled", 2))
    assert entry is not None
    assert source is not None
    assert entry.parents == {"version": "1", "manifest": source.checksum, "noise": "n1"}
    assert list(stage.rows_of("labeled"))[2] == source_of_entry(source, ("loud",))


def test_what_is_left_is_told_by_split_with_its_reason(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    everything = stage_of(recipe, maker).todo(STAGE, "features", [], "manifest")
    assert everything == [Todo("features/labeled", (NOT_THERE,), 3), Todo("features/dev", (NOT_THERE,), 1)]
    make_all(recipe, maker)
    finer = stage_of(recipe, Maker(recipe.run, mel_bins="80"))
    assert finer.todo(STAGE, "features", [], "manifest") == [
        Todo("features/labeled", ("mel_bins",), 3),
        Todo("features/dev", ("mel_bins",), 1),
    ]
    list_shard(recipe.run, Shard("labeled", 1), ["other"])
    changed = stage_of(recipe, maker)
    assert changed.unfinished() == [Shard("labeled", 1)]
    assert changed.todo(STAGE, "features", [], "manifest") == [Todo("features/labeled", ("manifest",), 1)]
    Path(maker.store.uri(Shard("dev", 0))).unlink()
    lost = stage_of(recipe, maker).todo(STAGE, "features", [], "manifest")[1]
    assert lost == Todo("features/dev", ("its file is missing",), 1)


def test_shards_whose_rejects_were_mended_are_to_be_made(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    make_all(recipe, maker)
    stage = dataclasses.replace(stage_of(recipe, maker), mended=lambda split: {2} if split == "labeled" else set())
    assert stage.unfinished() == [Shard("labeled", 2)]
    assert stage.todo(STAGE, "features", [], "manifest") == [
        Todo("features/labeled", ("audio that was rejected",), 1)
    ]


def test_a_new_version_is_told_as_such(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    make_all(recipe, maker)
    (first, *_) = stage_of(recipe, Maker(recipe.run, version="2")).todo(STAGE, "features", [], "manifest")
    assert first.because == (NEW_VERSION,)


def test_what_is_made_anew_upstream_is_waited_for(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    make_all(recipe, maker)
    before = [Todo("manifest/dev", ("seed",), stage="corpus"), Todo("language text", ("seed",), stage="corpus")]
    assert stage_of(recipe, maker).todo(STAGE, "features", before, "manifest") == [
        Todo("features/dev", ("seed",), 1, after="corpus")
    ]


def test_shards_of_a_store_of_another_name_say_why(recipe: Recipe) -> None:
    make_all(recipe, Maker(recipe.run))
    maker = Maker(recipe.run, k="7")
    maker.store = ShardStore(recipe.run, "targets/other")
    stage = ShardStage(
        recipe, maker.source, maker.store, SPLITS, maker.parents, ("loud",), ShardStore(recipe.run, "features")
    )
    assert [todo.because for todo in stage.todo(STAGE, "targets", [], "manifest")] == [("k",), ("k",)]
    assert len(stage.unfinished()) == 4


def test_a_rejected_shard_is_tried_again_and_nothing_waits_for_it(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    list_shard(recipe.run, Shard("labeled", 1), ["bad", "b", "c"])
    failed = make_all(recipe, maker)
    assert failed == [Reject("labeled/000001", "labeled/000001 cannot be used")]
    keep_report(recipe, StageReport(STAGE, "key", 1.0, 4, 0, 1), failed)
    (todo,) = stage_of(recipe, maker).todo(STAGE, "features", [], "manifest")
    assert todo == Todo("rejected features/labeled", ("they were rejected",), 1)
    # Beside one that was not rejected, the split is to be made.
    list_shard(recipe.run, Shard("labeled", 0), ["new"])
    (todo,) = stage_of(recipe, maker).todo(STAGE, "features", [], "manifest")
    assert (todo.product, todo.pieces) == ("features/labeled", 2)


def test_tidying_deletes_what_is_of_no_source_and_counts_what_was_lost(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    list_shard(recipe.run, Shard("labeled", 1), ["bad", "b", "c"])
    list_shard(recipe.run, Shard("dev", 0), ["d0", "reject-1"])
    list_shard(recipe.run, Shard("dev", 7), ["gone"])
    failed = make_all(recipe, maker)
    manifest = maker.source
    manifest.keep_only("dev", [Shard("dev", 0)])
    leftover = Path(maker.store.uri(Shard("dev", 0)) + ".tmp-0123abcd")
    leftover.write_bytes(b"half")
    outcome = stage_of(recipe, maker).tidy(failed)
    assert not leftover.exists()
    assert maker.store.shards("dev") == [Shard("dev", 0)]
    assert maker.store.shards("labeled") == [Shard("labeled", 0), Shard("labeled", 2)]
    assert outcome.rejects == [Reject("reject-1", "empty"), *failed], "dev comes first"
    assert outcome.rejected == 2
    assert (outcome.lost, outcome.rows) == (3 + 1, 4 + 3 + 4 + 2)
    assert sum(lost for lost, _ in outcome.counts.values()) == outcome.lost


def test_of_many_rejected_utterances_some_are_listed_and_all_count(recipe: Recipe) -> None:
    maker = Maker(recipe.run)
    list_shard(recipe.run, Shard("labeled", 0), ["bad"])
    for number in (1, 2):
        list_shard(recipe.run, Shard("labeled", number), [f"reject-{number}-{row}" for row in range(3)] + ["l"])
    list_shard(recipe.run, Shard("dev", 0), ["d0", "reject-d"])
    failed = make_all(recipe, maker)
    outcome = stage_of(recipe, maker).tidy(failed, most=2)
    assert [each.id for each in outcome.rejects] == ["reject-d", "labeled/000000", "reject-1-0", "reject-1-1"]
    assert (outcome.rejected, outcome.lost) == (1 + 1 + 6, 1 + 1 + 6)
    assert outcome.counts == {"labeled": (7, 9), "dev": (1, 2)}
    assert len(stage_of(recipe, maker).tidy(failed, most=None).rejects) == 8
