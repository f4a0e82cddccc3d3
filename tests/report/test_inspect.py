"""`ssl-asr inspect targets`: the utterance asked for, its figures and a picture; or a sentence that says why not."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.hmm.senone_names import SenoneNames, names_of
from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe import Recipe
from ssl_asr.report.inspect import look, picture_name
from ssl_asr.report.target_plot import draw
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store import features, targets
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.labelling.conftest import copy_run, save_teacher, target_store


@pytest.fixture(scope="module")
def recipe(feature_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Real features with the targets of a teacher that was never trained."""
    recipe = copy_run(feature_run, tmp_path_factory.mktemp("inspect") / "run", "features", "ledger/features")
    save_teacher(recipe)
    save_recipe(recipe)
    run_labelling(recipe)
    return recipe


def shard_uri(recipe: Recipe, number: int = 1) -> str:
    return target_store(recipe).uri(Shard("unlabeled", number))


def rows_of(recipe: Recipe, number: int = 1) -> list[targets.TargetRow]:
    return [
        row for slab in target_store(recipe).read_slabs(Shard("unlabeled", number)) for row in targets.decode(slab)
    ]


def test_the_utterance_its_features_and_its_figures(recipe: Recipe) -> None:
    last = rows_of(recipe)[-1]
    seen = look(shard_uri(recipe), last.id)
    assert (seen.id, seen.confidence) == (last.id, last.confidence)
    assert len(seen.frames) // 3 == len(seen.targets.senones)
    np.testing.assert_array_equal(seen.targets.senones, last.targets.senones)
    probs = np.exp(last.targets.log_probs)
    np.testing.assert_allclose(seen.entropy, -(probs * np.log(probs)).sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(seen.largest, probs.max(axis=1))
    assert f"{len(probs)} frames of 30 ms" in seen.line()


def test_a_copy_is_shown_with_its_own_features_and_its_recordings_targets(parallel_run: Recipe) -> None:
    rows = rows_of(parallel_run, 0)
    clean, copy = next(
        pair for pair in itertools.pairwise(rows) if "@" not in pair[0].id and "speed" not in pair[1].id
    )
    seen, own = (look(shard_uri(parallel_run, 0), row.id) for row in (copy, clean))
    assert (seen.id, seen.confidence, seen.speaker) == (copy.id, clean.confidence, own.speaker)
    assert (own.condition, seen.condition) == ("clean", copy.id.partition("@")[2])
    np.testing.assert_array_equal(seen.targets.senones, clean.targets.senones)
    assert np.abs(seen.frames - own.frames).max() > 0.5
    assert look(shard_uri(parallel_run, 0)).id == rows[0].id
    slow = next(row.id for row in rows if "@speed-0.9" in row.id)
    seen, own = (look(shard_uri(parallel_run, 0), name) for name in (slow, slow.partition("@")[0]))
    assert len(seen.frames) // 3 == len(seen.targets.senones) > len(own.targets.senones)
    assert (seen.largest[0], seen.largest[-1]) == (own.largest[0], own.largest[-1])
    assert np.isin(own.largest, seen.largest).all()


def test_a_picture_where_it_was_asked_for(recipe: Recipe, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    name = rows_of(recipe)[0].id
    assert main(["inspect", "targets", shard_uri(recipe)]) == OK
    assert main(["inspect", "targets", "--out", "folder/seen.png", shard_uri(recipe), name]) == OK
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{name}: ")
    assert (out[1], out[3]) == (f"{tmp_path}/{picture_name(name)}", f"{tmp_path}/folder/seen.png")
    assert Path(out[1]).read_bytes() == Path(out[3]).read_bytes()
    picture = image.imread(out[1])
    assert picture.shape[1] > picture.shape[0] > 500
    assert len(np.unique(picture[::7, ::7].reshape(-1, 4), axis=0)) > 200


def test_the_rows_of_the_picture_are_named(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    seen = look(shard_uri(recipe))
    many = 1 + int(seen.targets.senones.max())
    draw(replace(seen, names=SenoneNames(("SIL", "A") * many, tuple(map(str, range(2 * many))))))
    labels = [axis.get_ylabel() for axis in drawn[0].axes]
    assert labels[:4] == ["mel bin", "phones", "", "largest probability"]


def test_without_features_the_picture_names_the_file(recipe: Recipe, tmp_path: Path, capsys) -> None:
    other = copy_run(recipe, tmp_path / "run", "targets", "ledger", "models")
    assert main(["inspect", "targets", shard_uri(other)]) == FAILED
    missing = ShardStore(other.run, features.STORE).uri(Shard("unlabeled", 1))
    assert capsys.readouterr().err == (f"ssl-asr: {missing} is missing; run the stage that writes features again\n")


def test_no_shard_of_targets_no_such_utterance_no_such_file(recipe: Recipe, capsys) -> None:
    heard = ShardStore(recipe.run, features.STORE).uri(Shard("unlabeled", 1))
    name = rows_of(recipe)[3].id
    for words, said in (
        ([heard], f"{heard} is not a shard of targets; name one as RUN/targets/SET/unlabeled/000000.parquet"),
        (
            [shard_uri(recipe), name + "x"],
            f"{shard_uri(recipe)} holds no utterance '{name}x'; did you mean '{name}'?",
        ),
        ([shard_uri(recipe, 777)], f"{shard_uri(recipe, 777)} is missing; run the stage"),
    ):
        assert main(["inspect", "targets", *words]) == FAILED
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_features_under_the_name_of_targets_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    fake = tmp_path / "targets" / "abc" / "unlabeled" / "000000.parquet"
    fake.parent.mkdir(parents=True)
    shutil.copy(ShardStore(recipe.run, features.STORE).uri(Shard("unlabeled", 0)), fake)
    with pytest.raises(ValueError, match=r"000000\.parquet holds no targets that this version reads"):
        look(str(fake))


def test_names_are_the_commonest_centre_phone() -> None:
    phones = ("SIL", "A", "B")
    table = np.zeros((3, 3, 3), np.uint16)
    table[:, 1] = 1
    table[:, 2] = 2
    table[0, 2] = 1  # some of B with A, which is commoner there
    named = names_of(SenoneSet(PhoneSet(phones), table, np.ones(3)))
    assert named.names == ("SIL 0", "A+ 1", "B 2")
    assert named.phones == phones


def test_numbers_alone_where_the_senones_are_not_known(recipe: Recipe) -> None:
    seen = look(shard_uri(recipe))
    assert seen.names is None
    assert draw(seen).startswith(b"\x89PNG")
