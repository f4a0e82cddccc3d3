"""Whatever happens to targets is found, named in one line, and fixed by labelling the bad shards alone."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.models.model_files import load_model, save_model
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import features, filesystem
from ssl_asr.store.ledger import Shard, checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.verifying.run import verify
from tests.labelling.conftest import target_store, with_actors
from tests.labelling.small_shards import run_of_small_shards
from tests.labelling.test_kill_and_resume import contents

SHARDS = 12


@pytest.fixture(scope="module")
def whole(teacher_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    recipe = with_actors(run_of_small_shards(teacher_run, tmp_path_factory.mktemp("whole") / "run", SHARDS), 2, 2)
    run_labelling(recipe)
    return recipe


@pytest.fixture
def own(whole: Recipe, tmp_path: Path) -> Recipe:
    shutil.copytree(whole.run, tmp_path / "run")
    return whole.model_copy(update={"run": str(tmp_path / "run")})


def path(recipe: Recipe, number: int) -> Path:
    return Path(target_store(recipe).uri(Shard("unlabeled", number)))


def ledger_path(recipe: Recipe, number: int) -> Path:
    return Path(target_store(recipe).ledger_uri(Shard("unlabeled", number)))


def truncate(recipe: Recipe, number: int) -> None:
    file = path(recipe, number)
    file.write_bytes(file.read_bytes()[:-100])


def flip_a_byte(recipe: Recipe, number: int) -> None:
    file = path(recipe, number)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)


def flip_a_byte_of_the_footer(recipe: Recipe, number: int) -> None:
    file = path(recipe, number)
    file.write_bytes(file.read_bytes().replace(b"ssl_asr.mass_floor", b"ssl_asr.mess_floor"))


def rewrite(recipe: Recipe, number: int, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change every slab, and make the entry's checksum that of the new file: only its content can tell."""
    file, store = path(recipe, number), target_store(recipe)
    with pq.ParquetFile(file) as old:
        slabs = [change(old.read_row_group(index)) for index in range(old.num_row_groups)]
    with pq.ParquetWriter(file, slabs[0].schema) as writer:
        for slab in slabs:
            writer.write_table(slab)
    entry = dataclasses.replace(store.entry(Shard("unlabeled", number)), checksum=checksum(file.read_bytes()))
    ledger_path(recipe, number).write_bytes(entry.to_json())


def swap_rows(recipe: Recipe, number: int) -> None:
    rewrite(recipe, number, lambda slab: slab.take([1, 0]))


def move_a_frame(recipe: Recipe, number: int) -> None:
    """One utterance longer, the other shorter: every sum stays."""

    def moved(slab: pa.Table) -> pa.Table:
        frames = slab["num_frames"].to_pylist()
        place = slab.column_names.index("num_frames")
        return slab.set_column(place, slab.schema.field(place), pa.array([frames[0] + 1, frames[1] - 1], pa.int32()))

    rewrite(recipe, number, moved)


def invent_a_senone(recipe: Recipe, number: int) -> None:
    def invented(slab: pa.Table) -> pa.Table:
        place = slab.column_names.index("senones")
        rows = slab["senones"].to_pylist()
        rows[0][0] = 65535
        return slab.set_column(place, slab.schema.field(place), pa.array(rows, pa.list_(pa.uint16())))

    rewrite(recipe, number, invented)


def take_another_teachers(recipe: Recipe, number: int) -> None:
    """As it would lie there if two runs had been mixed up."""
    other = recipe.model_copy(update={"run": f"{recipe.run}-other"})
    shutil.copytree(recipe.run, other.run)
    model, about = load_model(model_uri(other.run, "teacher"))
    model.senones.bias.data[:7] += 1
    save_model(model_uri(other.run, "teacher"), model, about)
    for entry in ShardStore(other.run, features.STORE).entries("unlabeled"):
        if entry.shard.number != number:
            filesystem.delete(ShardStore(other.run, features.STORE).ledger_uri(entry.shard))
    run_labelling(other)
    shutil.copy(path(other, number), path(recipe, number))


def take_another_shards(recipe: Recipe, number: int) -> None:
    shutil.copy(path(recipe, 0), path(recipe, number))
    shutil.copy(ledger_path(recipe, 0), ledger_path(recipe, number))


def lose_the_entry(recipe: Recipe, number: int) -> None:
    ledger_path(recipe, number).unlink()


def lose_the_file(recipe: Recipe, number: int) -> None:
    path(recipe, number).unlink()


def lose_both(recipe: Recipe, number: int) -> None:
    lose_the_entry(recipe, number)
    lose_the_file(recipe, number)


def cut_the_entry(recipe: Recipe, number: int) -> None:
    ledger_path(recipe, number).write_bytes(ledger_path(recipe, number).read_bytes()[:80])


def leave_half_a_shard(recipe: Recipe, number: int) -> None:
    Path(f"{path(recipe, number)}.tmp-0123abcd").write_bytes(b"PAR1 half a shard")


DAMAGES = {
    truncate: "is not a whole Parquet file of",
    flip_a_byte: "000001.parquet ",  # what it breaks depends on where it falls
    flip_a_byte_of_the_footer: "has changed since it was written: checksum",
    swap_rows: "has rows in another order than the features in slab 0",
    move_a_frame: "has rows whose num_frames is not the length of kept",
    invent_a_senone: "names senone 65535, but its teacher has 90",
    take_another_teachers: "is another shard: its footer says ssl_asr.parent.teacher",
    take_another_shards: "that names targets/",
    lose_the_entry: "has no ledger entry",
    lose_the_file: "is missing, but ",
    lose_both: "is missing with its ledger entry, though labelling has finished",
    cut_the_entry: "that is not whole",
    leave_half_a_shard: "was left by a killed writer",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_is_found_and_named_in_one_line(own: Recipe, capsys: pytest.CaptureFixture[str], damage: Callable) -> None:
    damage(own, 1)
    capsys.readouterr()
    assert main(["verify", own.run]) == FAILED
    finding, summary = capsys.readouterr().out.splitlines()
    assert finding.startswith(str(path(own, 1)))
    assert DAMAGES[damage] in finding
    assert f"`ssl-asr verify {own.run} --repair`" in finding
    assert summary.startswith("verify: 12 shards, 2")
    assert summary.endswith(": 1 wrong")


def test_repair_labels_the_bad_shards_alone_and_all_is_as_before(
    own: Recipe, whole: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    damages = [damage for damage in DAMAGES if damage not in (take_another_teachers, invent_a_senone)]
    for number, damage in enumerate(damages, 1):
        damage(own, number)
    bad = [number for number, damage in enumerate(damages, 1) if damage is not leave_half_a_shard]
    good = [number for number in range(SHARDS) if number not in bad]
    times = {number: path(own, number).stat().st_mtime_ns for number in good}
    assert main(["verify", own.run, "--repair"]) == OK
    said = capsys.readouterr().out
    assert f"{len(damages)} wrong" in said
    assert read_report(own, "labelling").skipped == len(good)
    assert said.splitlines()[-1].endswith("nothing wrong")
    assert {number: path(own, number).stat().st_mtime_ns for number in good} == times
    assert contents(own) == contents(whole)


def test_targets_of_a_former_recipe_are_left_to_their_owner(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    truncate(own, 1)
    before = contents(own)
    assert main(["verify", own.run, "labelling.k=5", "--repair"]) == FAILED
    assert "run `ssl-asr labelling" in (said := capsys.readouterr().out)
    assert "again with the teacher and recipe of these targets" in said
    assert contents(own) == before


@pytest.mark.parametrize("lost", ["entry", "both"])
def test_nothing_is_deleted_while_features_are_at_fault(
    own: Recipe, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    store, shard = ShardStore(own.run, features.STORE), Shard("unlabeled", 3)
    filesystem.delete(store.ledger_uri(shard))
    if lost == "both":
        filesystem.delete(store.uri(shard))
    truncate(own, 1)
    before = contents(own)
    assert main(["verify", own.run, "--repair"]) == FAILED
    out, err = capsys.readouterr()
    assert f"run `ssl-asr frontend {own.run}` again" in out
    assert "nothing was deleted: targets can't be made again from damaged features; fix these first" in err
    assert contents(own) == before


def test_nothing_is_deleted_while_a_stage_is_at_work(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    truncate(own, 1)
    before = contents(own)
    clock = StageClock(own, "labelling", "key")
    clock.heartbeat()
    assert main(["verify", own.run, "--repair"]) == FAILED
    assert "stop it and wait first" in capsys.readouterr().err
    assert contents(own) == before
    assert main(["verify", own.run]) == FAILED
    assert capsys.readouterr().out.startswith("labelling is running")
    clock.finish(0, 0)


def test_a_sample_of_the_shards_is_read(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    store, whole = target_store(own), verify(own)
    seen = set[int]()
    for _ in range(20):
        some = verify(own, sample=1)
        assert not some.findings
        assert 0 < some.files < whole.files
        assert (some.shards, some.not_read) == (1, whole.shards - 1)
        seen.add(some.bytes)
    assert len(seen) > 1, "others each time"
    assert main(["verify", own.run, "--sample", "2"]) == OK
    assert f"verify: 2 shards ({whole.shards - 2} others not read), " in capsys.readouterr().out
    gone = Shard("unlabeled", 1)
    for uri in (store.uri(gone), store.ledger_uri(gone)):
        filesystem.delete(uri)
    assert [finding.shard for finding in verify(own, sample=1).findings] == [gone]


def test_targets_of_other_features_are_told_from_damage(own: Recipe, whole: Recipe) -> None:
    """The labelling stage finds these by itself."""
    store, shard = target_store(own), Shard("unlabeled", 1)
    entry = store.entry(shard)
    rewrite_parents(own, {**entry.parents, "features": "old"})
    (finding,) = verify(own).findings
    assert "was made from features with checksum old, but the current checksum is" in finding.sentence
    assert finding.delete == ()
    run_labelling(own)
    assert contents(own) == contents(whole)


def rewrite_parents(recipe: Recipe, parents: dict[str, str]) -> None:
    """Of shard 1, in footer and entry."""
    store, shard = target_store(recipe), Shard("unlabeled", 1)
    entry, slabs = store.entry(shard), list(store.read_slabs(shard))
    store.publish(
        shard,
        slabs[0].schema,
        slabs,
        entry.slabs,
        seconds=entry.seconds,
        parents=parents,
        metadata={"ssl_asr.k": "20", "ssl_asr.step_nats": "0.06"},
    )
