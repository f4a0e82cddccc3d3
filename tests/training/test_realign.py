"""The realign stage on a small run, without Ray but for one test."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.aligned_set import flat_senones
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.stage import run_hmm
from ssl_asr.models.model_files import load_model, save_model
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import todo_of, todos
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.runtime.stage_report import read_rejects, read_report
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.layout import ALIGNMENTS
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.realign import run_realign
from ssl_asr.training.realign_rounds import load_job, rounds
from tests.finished_run import contents
from tests.realigned_run import noting, sets_of


def labels(store: ShardStore, split: str = "labeled") -> dict[str, np.ndarray]:
    return {
        name: senones
        for shard in store.shards(split)
        for name, senones in alignments.decode(store.read(shard)).items()
    }


def last_set(recipe: Recipe) -> ShardStore:
    return ShardStore(recipe.run, alignments.store_name(load_senones(recipe.run).alignment_set))


def aligned(recipe: Recipe) -> dict[str, bytes]:
    """The files of all alignments and senones, and of the ledger."""
    wanted = ("alignments", "hmm", "ledger/alignments")
    return {name: data for name, (_, data) in contents(recipe.run).items() if name.startswith(wanted)}


def names_of_sets(recipe: Recipe) -> set[str]:
    return {path.name for path in Path(recipe.run, ALIGNMENTS).iterdir()}


def products(recipe: Recipe) -> list[str]:
    return [todo.product for todo in todo_of("realign", recipe)]


def lose(store: ShardStore, shard: Shard) -> None:
    Path(store.uri(shard)).unlink()
    Path(store.ledger_uri(shard)).unlink()


def cut(store: ShardStore, shard: Shard) -> None:
    file = Path(store.uri(shard))
    file.write_bytes(file.read_bytes()[:-9])


def test_the_last_round_names_the_alignments_that_all_else_uses(realigned: Recipe) -> None:
    senones = load_senones(realigned.run)
    assert senones.alignment_set == f"{senones.id}-{senones.realigned_by}"
    flat, _, last = sets_of(realigned)
    assert last == last_set(realigned)
    found, heard = labels(last), ShardStore(realigned.run, features.STORE)
    lengths = {
        row.id: len(row.frames)
        for shard in heard.shards("labeled")
        for row in features.decode(heard.read(shard), realigned.frontend.mel_bins)
    }
    assert {name: len(row) for name, row in found.items()} == lengths
    counts = sum(np.bincount(stack_labels(row), minlength=senones.size) for row in found.values())
    np.testing.assert_array_equal(senones.counts, counts)
    assert labels(last, "dev").keys() == labels(flat, "dev").keys()
    assert len(names_of_sets(realigned)) == 3  # of the flat start and of two networks


def test_each_network_learns_from_the_alignments_of_the_round_before(
    realigned_and_jobs: tuple[Recipe, dict[str, TrainingJob]],
) -> None:
    recipe, jobs = realigned_and_jobs
    heard = []
    for name, store in zip(("aligner-1", "aligner-2", "teacher"), sets_of(recipe), strict=True):
        (source,), reader = jobs[name].sources, jobs[name].reader
        found = {each.id: each.targets.senones[:, 0] for ref in source for each in reader.read("labeled", ref, 0)}
        expected = labels(store)
        assert found.keys() == expected.keys()
        for utterance, senones in found.items():
            np.testing.assert_array_equal(senones, stack_labels(expected[utterance]))
        heard.append(np.concatenate(list(found.values())))
    assert all((one != other).any() for one, other in pairwise(heard)), "the sets differ"


def test_a_footer_says_senones_and_network(realigned: Recipe) -> None:
    senones, (flat, _, last) = load_senones(realigned.run), sets_of(realigned)
    shard = flat.shards("labeled")[0]
    said = [store.open(shard).schema_arrow.metadata for store in (flat, last)]
    assert [each[b"senone_set"].decode() for each in said] == [senones.id, senones.id]
    assert [each.get(b"realigned_by", b"").decode() for each in said] == ["", senones.realigned_by]


def test_nothing_is_made_twice(realigned_run: Recipe) -> None:
    before = contents(realigned_run.run)
    assert products(realigned_run) == []
    report = run_realign(realigned_run)
    assert report.pieces == report.skipped > 2
    after = contents(realigned_run.run)
    assert {name for name in before if before[name] != after.get(name)} == {
        "stages/realign.json",
        "rejects/realign.jsonl",
    }


def test_a_lost_shard_and_a_lost_network_are_made_again(realigned_run: Recipe) -> None:
    before = aligned(realigned_run)
    store = last_set(realigned_run)
    Path(store.uri(store.shards("labeled")[0])).unlink()
    assert products(realigned_run) == ["alignments/labeled", "senone set"]
    run_realign(realigned_run)
    Path(model_uri(realigned_run.run, "aligner-2")).unlink()
    assert products(realigned_run)[0] == "aligner-2"
    run_realign(realigned_run)
    assert aligned(realigned_run) == before


def test_each_product_is_announced_once(realigned_run: Recipe) -> None:
    _, first, _ = sets_of(realigned_run)
    lose(first, Shard("dev", 0))
    assert products(realigned_run) == ["alignments/dev"]
    Path(model_uri(realigned_run.run, "aligner-2")).unlink()
    rest = ["alignments/labeled", "alignments/test", "senone set"]
    assert products(realigned_run) == ["alignments/dev", "aligner-2", *rest]
    lose(first, Shard("labeled", 0))
    assert sorted(products(realigned_run)) == sorted(["alignments/dev", "aligner-2", *rest])


def test_without_it_the_flat_start_s_alignments_are_back(realigned_run: Recipe) -> None:
    plain = open_recipe(realigned_run.run, ["hmm.realign=0"])
    assert next((todo.stage, todo.product) for todo in todos(plain)) == ("hmm", "senone set")
    run_hmm(plain)
    assert load_senones(plain.run).realigned_by == ""
    again = open_recipe(plain.run, ["hmm.realign=1"])
    found = [(todo.stage, todo.product) for todo in todos(again)]
    assert found[0] == ("realign", "senone set")
    assert ("teacher", "teacher") in found


def test_asked_for_none_it_says_so_and_drops_what_nothing_uses(realigned_run: Recipe) -> None:
    plain, (flat, _, last) = open_recipe(realigned_run.run, ["hmm.realign=0"]), sets_of(realigned_run)
    report = run_realign(plain)
    assert report.line().endswith("0 networks and shards, off hmm.realign asks for none")
    # The senone set still names the last one, until the hmm stage has run.
    assert names_of_sets(plain) == {Path(store.name).name for store in (flat, last)}
    run_hmm(plain)
    run_realign(plain)
    assert names_of_sets(plain) == {Path(flat.name).name}


def test_sets_of_networks_that_are_no_more_are_deleted(realigned_run: Recipe) -> None:
    flat, *old = sets_of(realigned_run)
    changed = open_recipe(realigned_run.run, ["teacher.labeled_passes=2"])
    assert list(rounds(changed)) == []
    run_realign(changed)
    assert len(list(rounds(changed))) == 2
    assert names_of_sets(changed) == {Path(store.name).name for store in sets_of(changed)}
    assert not {store.name for store in old} & {store.name for store in sets_of(changed)}
    assert flat.shards("labeled") == last_set(changed).shards("labeled")


def test_a_shard_lost_in_the_first_round_counts_to_the_end(realigned_run: Recipe) -> None:
    flat, *others = sets_of(realigned_run)
    shard = flat.shards("labeled")[0]
    cut(flat, shard)
    for store in others:
        lose(store, shard)
    report = run_realign(realigned_run)
    assert report.rejected == 1
    (reject,) = read_rejects(realigned_run, "realign")
    assert reject.id == shard.name
    assert "not a whole Parquet file" in reject.reason
    assert products(realigned_run) == ["rejected alignments/labeled"]
    # The share is that of all speech before the first round, and is checked before the next network is trained.
    Path(model_uri(realigned_run.run, "aligner-2")).unlink()
    strict = open_recipe(realigned_run.run, ["corpus.max_reject_share=0.1"])
    rows, jobs = sum(len(labels(flat, split)) for split in ("dev", "test")) + 4, dict[str, TrainingJob]()
    with noting(jobs), pytest.raises(ValueError, match=f"realign: 2 of {rows} utterances were rejected"):
        run_realign(strict)
    assert not jobs
    assert read_rejects(strict, "realign") == [reject]
    assert read_report(strict, "realign") is None


def test_killed_between_rounds_it_goes_on_with_the_second_network(realigned_run: Recipe) -> None:
    before = aligned(realigned_run)
    for name in ("aligner-1", "aligner-2"):
        Path(model_uri(realigned_run.run, name)).unlink()
        shutil.rmtree(Path(realigned_run.run, "training", name))
    for store in sets_of_names(realigned_run)[1:]:
        store.delete()
    first, second = dict[str, TrainingJob](), dict[str, TrainingJob]()
    with noting(first, killed_at="aligner-2"), pytest.raises(KeyboardInterrupt):
        run_realign(realigned_run)
    assert list(first) == ["aligner-1"]
    assert read_report(realigned_run, "realign") is None
    assert products(realigned_run)[0] == "aligner-2"
    with noting(second):
        run_realign(realigned_run)
    assert list(second) == ["aligner-2"]
    assert aligned(realigned_run) == before


def sets_of_names(recipe: Recipe) -> list[ShardStore]:
    """All sets on the disk, that of the flat start first."""
    return [ShardStore(recipe.run, f"{ALIGNMENTS}/{name}") for name in sorted(names_of_sets(recipe), key=len)]


def test_the_topline_s_speech_is_realigned_too_and_its_losses_count_apart(realigned_run: Recipe) -> None:
    topline = open_recipe(realigned_run.run, ["evaluate.topline=true", "corpus.max_reject_share=0"])
    run_hmm(topline)
    flat, first, last = sets_of(topline)
    assert products(topline) == ["alignments/unlabeled"]
    lost, made = flat.shards("unlabeled")
    cut(flat, lost)
    run_realign(topline)
    assert [reject.id for reject in read_rejects(topline, "realign")] == [lost.name]
    assert products(topline) == ["rejected alignments/unlabeled"]
    known = alignments.decode(flat.read(made))
    for store in (first, last):
        found = labels(store, "unlabeled")
        assert {name: len(row) for name, row in found.items()} == {name: len(row) for name, row in known.items()}
    # Without a topline they stay as long as they are of today's features.
    run_realign(realigned_run)
    assert last.shards("unlabeled") == [made]
    entry = last.entry(made)
    assert entry is not None
    other = replace(entry, parents={**entry.parents, "features": "0" * 16})
    filesystem.write_bytes(last.ledger_uri(made), other.to_json())
    run_realign(realigned_run)
    assert (first.shards("unlabeled"), last.shards("unlabeled")) == ([made], [])


def test_a_network_that_gives_no_finite_scores_is_refused(realigned_run: Recipe) -> None:
    uri = model_uri(realigned_run.run, "aligner-1")
    model, about = load_model(uri)
    torch.nn.init.constant_(model.senones.bias, float("nan"))
    save_model(uri, model, about)
    job = load_job(realigned_run, "aligner-1", flat_senones(realigned_run))
    with pytest.raises(ValueError, match=r"aligner-1\.safetensors gives NaN or infinite scores; delete it"):
        job(Shard("labeled", 0))


def test_actors_of_ray_make_the_same(realigned: Recipe, tmp_path: Path, ray_local: None) -> None:
    shutil.copytree(realigned.run, tmp_path / "run")
    recipe = realigned.model_copy(update={"run": str(tmp_path / "run")})
    for store in sets_of(recipe)[1:]:
        store.delete()
    report = run_realign(recipe)
    assert report.rejected == 0
    assert aligned(recipe) == aligned(realigned)
