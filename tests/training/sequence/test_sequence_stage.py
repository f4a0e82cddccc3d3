"""Cross-entropy, lattices and sMBR as one stage."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.decoding.graph_files import make_graph
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.model_files import MADE_FROM, POSTERIOR_COUNTS, load_model
from ssl_asr.models.systems import final_name, teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_report import StageReport, read_rejects
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import list_temporary
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import accounted_keys, read_accounts
from ssl_asr.training.curve import read_curve
from ssl_asr.training.data.run_sources import source_of_run
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.sequence.inputs import smbr_inputs
from ssl_asr.training.sequence.lattice_job import LatticeJob
from ssl_asr.training.sequence.lattice_sets import lattice_set
from ssl_asr.training.stage import run_teacher, todo_teacher
from ssl_asr.verifying.run import verify
from tests.in_process import placed_here
from tests.training.sequence.conftest import SEQUENCE, SHARDS, recipe_on
from tests.training.simulated_stages import simulated_training


@pytest.fixture(scope="module")
def sequenced(taught: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, StageReport]:
    """A copy of the run after sequence training, and what the stage said; not to be changed."""
    run = tmp_path_factory.mktemp("sequenced") / "run"
    shutil.copytree(taught, run)
    recipe = recipe_on(run, *SEQUENCE)
    with placed_here():
        return recipe, run_teacher(recipe)


def store_by(recipe: Recipe, *models: str) -> ShardStore:
    return ShardStore(recipe.run, lattice_set(recipe, "teacher", models).store)


def contents(folder: Path) -> dict[str, bytes]:
    """All weights and lattices."""
    files = [
        *folder.glob("models/*"),
        *folder.glob("lattices/**/*.parquet"),
        *folder.glob("ledger/lattices/**/*.json"),
    ]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


def test_a_second_model_is_trained_from_the_first_which_stays(
    taught: Path, sequenced: tuple[Recipe, StageReport]
) -> None:
    recipe, report = sequenced
    assert 0 < report.skipped < report.pieces
    before, after = (Path(run) / "models" / "teacher.safetensors" for run in (taught, recipe.run))
    assert before.read_bytes() == after.read_bytes()
    model, about = load_model(model_uri(recipe.run, "teacher-smbr"))
    start, _ = load_model(model_uri(recipe.run, "teacher"))
    moved = [float((a - b).detach().abs().max()) for a, b in zip(model.parameters(), start.parameters(), strict=True)]
    assert 0 < max(moved) < 0.3
    assert about[MADE_FROM] == smbr_inputs(recipe, "teacher")
    assert len(about[POSTERIOR_COUNTS]) == model.spec.outputs
    assert (final_name(recipe, "teacher"), teachers_of(recipe)) == ("teacher-smbr", ("teacher-smbr",))
    assert todo_teacher(recipe, []) == []


def test_expected_accuracy_rises_from_the_first_epoch_to_the_second(sequenced: tuple[Recipe, StageReport]) -> None:
    recipe, report = sequenced
    means = []
    for name in ("teacher-smbr-first", "teacher-smbr"):
        curve = read_curve(recipe.run, name)
        blocks = [record for record in curve if "loss" in record]
        assert all(record["whole"] and record["lost_frames"] == 0 for record in blocks)
        assert any("dev_frame_accuracy" in record for record in curve)
        means.append(np.mean([record["expected_accuracy"] for record in blocks]))
    assert means[1] > means[0]
    assert report.figures["smbr_expected_accuracy"] == pytest.approx(blocks[-1]["expected_accuracy"])


def test_lattices_lie_beside_the_features_with_their_figures(sequenced: tuple[Recipe, StageReport]) -> None:
    recipe, report = sequenced
    features = ShardStore(recipe.run, "features")
    for model in ("teacher", "teacher-smbr-first"):
        store = store_by(recipe, model)
        assert store.shards("labeled") == features.shards("labeled")
        for entry in store.entries("labeled"):
            found, beside = entry.statistics, features.entry(entry.shard)
            assert found["density"] > 1
            assert 0 < found["best_path_accuracy"] <= found["oracle_accuracy"] <= 1
            assert beside is not None
            assert entry.rows == beside.rows
    assert report.figures["lattice_density"] == store.index("labeled").mean("density")


def test_an_utterance_without_a_lattice_is_told_and_left_out(sequenced: tuple[Recipe, StageReport]) -> None:
    """One without alignment was told by the stage before."""
    recipe, report = sequenced
    (reject,) = read_rejects(recipe, "teacher")
    assert reject.id == "odd-cut"
    assert "no path within the beam ends with the last frame" in reject.reason
    assert report.rejected == 1
    frames = sum(record["frames"] for record in read_curve(recipe.run, "teacher-smbr") if "loss" in record)
    assert frames == store_by(recipe, "teacher").index("labeled").column("frames").sum()


def test_the_reader_joins_lattices_and_leaves_out_what_has_none(sequenced: tuple[Recipe, StageReport]) -> None:
    recipe, _ = sequenced
    store, senone_set = store_by(recipe, "teacher"), load_senones(recipe.run).id
    plain = SlabReader(recipe.run, 64, senone_set)
    joined = SlabReader(recipe.run, 64, senone_set, lattices=store.name)
    source = source_of_run(recipe, "labeled")
    for ref in source:
        before, after = plain.read("labeled", ref, 0), joined.read("labeled", ref, 0)
        assert [each.id for each in after] == [each.id for each in before if each.id != "odd-cut"]
        for example in after:
            assert example.lattice is not None
            assert example.lattice.num_frames == len(example.targets.senones)
    (dev,) = source_of_run(recipe, "dev")
    assert [each.lattice for each in joined.read("labeled", dev, 0)] == [None]
    other = SlabReader(recipe.run, 64, senone_set, lattices="lattices/of-another-model")
    with pytest.raises(ValueError, match=r"000000\.parquet is missing"):
        other.read("labeled", source.slab(0), 0)


def test_verify_knows_lattices_and_all_three_trainings(sequenced: tuple[Recipe, StageReport], tmp_path: Path) -> None:
    shutil.copytree(sequenced[0].run, tmp_path / "run")
    recipe = recipe_on(tmp_path / "run", *SEQUENCE)
    verdict = verify(recipe)
    assert [each.sentence for each in verdict.findings if each.store.startswith("lattices/")] == []
    store = store_by(recipe, "teacher")
    file = Path(store.uri(Shard("labeled", 2)))
    file.write_bytes(file.read_bytes()[:-9])
    (found,) = (each for each in verify(recipe).findings if each.store.startswith("lattices/"))
    assert f"{file} is not a whole Parquet file" in found.sentence
    assert found.sentence.endswith(f"then run `ssl-asr teacher {recipe.run}` again")
    assert {line.partition(":")[0] for line in verdict.trained} == {"teacher", "teacher-smbr", "teacher-smbr-first"}


@pytest.mark.usefixtures("here")
def test_run_again_it_changes_nothing(sequenced: tuple[Recipe, StageReport]) -> None:
    recipe, before = sequenced
    kept = contents(Path(recipe.run))
    report = run_teacher(recipe)
    assert (report.skipped, report.rejected, report.figures) == (report.pieces, before.rejected, before.figures)
    assert contents(Path(recipe.run)) == kept


def test_what_changes_trains_no_more_than_it_must(sequenced: tuple[Recipe, StageReport]) -> None:
    run = Path(sequenced[0].run)
    off = recipe_on(run)
    assert todo_teacher(off, []) == []
    assert final_name(off, "teacher") == "teacher"
    for key, value in (("epochs", 1), ("kappa", 0.5), ("sync.strategy", "dense"), ("folds", 2)):
        (todo,) = todo_teacher(recipe_on(run, *SEQUENCE, f"teacher.sequence.{key}={value}"), [])
        assert (todo.product, todo.because) == ("teacher-smbr", (f"teacher.sequence.{key}",))
    below = todo_teacher(recipe_on(run, *SEQUENCE, "teacher.labeled_passes=1"), [])
    assert [todo.product for todo in below] == ["teacher", "teacher-smbr"]
    assert {todo.because for todo in below} == {("teacher.labeled_passes",)}
    assert todo_teacher(recipe_on(run, *SEQUENCE, "teacher.sequence.sync.checkpoint_blocks=9"), []) == []


@pytest.mark.usefixtures("here")
def test_other_lattices_replace_those_before(own: Path) -> None:
    run_teacher(recipe_on(own, *SEQUENCE, "teacher.sequence.epochs=1"))
    (first,) = (own / "lattices").iterdir()
    run_teacher(recipe_on(own, *SEQUENCE, "teacher.sequence.epochs=1", "teacher.sequence.kappa=0.4"))
    (second,) = (own / "lattices").iterdir()
    assert first != second
    assert [path.name for path in (own / "ledger" / "lattices").iterdir()] == [second.name]


@pytest.mark.usefixtures("here")
def test_fold_models_decode_what_they_have_not_heard(own: Path) -> None:
    recipe = recipe_on(own, *SEQUENCE, "teacher.sequence.folds=2", "teacher.sequence.fold_passes=1")
    run_teacher(recipe)
    folds = ["teacher-fold-0", "teacher-fold-1"]
    for fold, name in enumerate(folds):
        trained_on = {slab for line in _slabs(own, name) for slab in line}
        assert trained_on == {f"labeled/{n:06d}:{s}" for n in range(SHARDS) if n % 2 != fold for s in range(2)}
    wanted = lattice_set(recipe, "teacher", folds)
    (store,) = (own / "lattices").iterdir()
    assert wanted.store == f"lattices/{store.name}"
    for entry in ShardStore(recipe.run, wanted.store).entries("labeled"):
        assert entry.parents["model"] == wanted.models[entry.shard.number % 2][1]
    assert not (own / "models" / "teacher-smbr-first.safetensors").exists()
    assert todo_teacher(recipe, []) == []


def _slabs(run: Path, name: str) -> Sequence[Sequence[str]]:
    (key,) = accounted_keys(str(run), name)
    accounts = read_accounts(str(run), name, key)
    return [assignment.slabs for account in accounts for assignment in account.assignments]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("lost", ["lattices/{0}/labeled/000001.parquet", "ledger/lattices/{0}/labeled/000002.json"])
def test_a_lost_shard_is_made_again_to_the_byte(
    sequenced: tuple[Recipe, StageReport], tmp_path: Path, lost: str
) -> None:
    """And a model that is trained again on these lattices has the same weights."""
    shutil.copytree(sequenced[0].run, tmp_path / "run")
    recipe, kept = recipe_on(tmp_path / "run", *SEQUENCE), contents(tmp_path / "run")
    (tmp_path / "run" / lost.format(store_by(recipe, "teacher-smbr-first").name.partition("/")[2])).unlink()
    filesystem.delete(model_uri(recipe.run, "teacher-smbr"))
    shutil.rmtree(tmp_path / "run" / "training" / "teacher-smbr")
    run_teacher(recipe)
    assert contents(tmp_path / "run") == kept


# A driver that is killed where it would write a file whose name ends so.
KILLED = """
import os, signal, sys
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.training.stage import run_teacher
from tests.in_process import placed_here
write = filesystem.write_bytes
def write_bytes(uri, data):
    if uri.endswith(sys.argv[2]) and "lattices" in uri:
        os.kill(os.getpid(), signal.SIGKILL)
    write(uri, data)
filesystem.write_bytes = write_bytes
with placed_here():
    run_teacher(Recipe.model_validate_json(sys.argv[1]))
"""


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("at", ["labeled/000001.parquet", "labeled/000001.json"])
def test_killed_while_lattices_are_made_nothing_half_is_left(
    sequenced: tuple[Recipe, StageReport], own: Path, at: str
) -> None:
    recipe = recipe_on(own, *SEQUENCE)
    killed = subprocess.run([sys.executable, "-c", KILLED, recipe.model_dump_json(), at])
    assert killed.returncode == -signal.SIGKILL
    done = store_by(recipe, "teacher").shards("labeled")
    assert done == [Shard("labeled", 0)]
    run_teacher(recipe)
    assert contents(own) == contents(Path(sequenced[0].run))
    assert list_temporary(recipe.run) == []


@pytest.mark.usefixtures("here")
def test_too_many_utterances_without_a_lattice_stop_the_stage(own: Path) -> None:
    recipe = recipe_on(own, *SEQUENCE, "corpus.max_reject_share=0.001")
    with pytest.raises(ValueError, match="1 of 34 utterances were rejected"):
        run_teacher(recipe)
    assert not (own / "models" / "teacher-smbr.safetensors").exists()


def test_a_shard_depends_on_itself_alone(own: Path) -> None:
    recipe = recipe_on(own, *SEQUENCE)
    wanted = lattice_set(recipe, "teacher", ["teacher"])
    make_graph(recipe.run, 1, wanted.graph)
    together, alone = LatticeJob(wanted), LatticeJob(wanted)
    first = [together.make(Shard("labeled", number)) for number in range(SHARDS)]
    last = alone.make(Shard("labeled", SHARDS - 1))
    assert all(a.equals(b) for a, b in zip(first[-1].slabs, last.slabs, strict=True))
    assert first[-1].statistics == last.statistics


@pytest.mark.usefixtures("ray_local")
def test_actors_on_ray_make_the_same_lattices(sequenced: tuple[Recipe, StageReport], own: Path) -> None:
    with simulated_training():
        run_teacher(recipe_on(own, *SEQUENCE))
    assert contents(own) == contents(Path(sequenced[0].run))
