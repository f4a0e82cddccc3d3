"""Splits are listed one by one: each for its own source and its own fields of the recipe."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.split_records import forget_record, read_record, split_inputs
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import differences
from ssl_asr.store.corpus_layout import lm_text_uri, split_record_uri
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SPLITS
from tests.conftest import tiny_recipe


def changed(recipe: Recipe, **corpus: object) -> Recipe:
    return recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update=corpus)})


def written(run: str) -> dict[str, int]:
    """Shards, entries and records by path, with the time they were written at."""
    folders = ("manifest", "ledger/manifest", "corpus/splits")
    files = [file for folder in folders for file in Path(run, folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(run)): file.stat().st_mtime_ns for file in files}


def run_again(recipe: Recipe, before: dict[str, int]) -> set[str]:
    """The splits of which anything was written, after a run of the stage; checks what it says of itself."""
    why = {todo.product.removeprefix("manifest/") for todo in todo_corpus(recipe, [])} & {*SPLITS}
    report = run_corpus(recipe)
    now = written(recipe.run)
    touched = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    listed = {split for split in SPLITS if any(split in Path(name).with_suffix("").parts for name in touched)}
    store = ShardStore(recipe.run, MANIFEST)
    assert report.pieces - report.skipped == sum(len(store.shards(split)) for split in listed)
    assert listed == why
    return listed


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        ({"test_conditions": ("clean",)}, {"test"}),
        ({"dev_conditions": ("clean", "room")}, {"dev"}),
        ({"train_conditions": ("room",)}, {"labeled", "unlabeled"}),
        ({"labeled_copies": 0}, {"labeled"}),
        ({"unlabeled_copies": 1}, {"unlabeled"}),
        ({"slab_minutes": 0.25}, {*SPLITS}),
        ({"pipes": True}, {*SPLITS}),
        # Of open speech, of which there is none here.
        ({"labeled_minutes": 1, "unlabeled_minutes": 1, "dev_minutes": 2, "test_minutes": 1}, set()),
        ({"cache": "/elsewhere", "max_reject_share": 0.2}, set()),
    ],
    ids=lambda value: " ".join(sorted(value)) or "none",
)
def test_a_field_lists_the_splits_that_it_is_for(own_recipe: Recipe, change: dict, listed: set[str]) -> None:
    run_corpus(own_recipe)
    assert run_again(changed(own_recipe, **change), written(own_recipe.run)) == listed


def test_audio_that_is_no_file_of_its_own_is_not_missing(own_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "wav.ark").write_bytes(b"a " + (tmp_path / "kaldi" / "call.wav").read_bytes())
    recipe = changed(own_recipe, pipes=True)
    for entry in (f"{tmp_path / 'wav.ark'}:2", f"tail -c +3 {tmp_path / 'wav.ark'} |"):
        (tmp_path / "kaldi" / "wav.scp").write_text(f"call {entry}\n")
        run_corpus(recipe)
        assert todo_corpus(recipe, []) == []
    (tmp_path / "kaldi" / "wav.scp").write_text(f"call {tmp_path / 'wav.ark'}:2\n")
    run_corpus(recipe)
    (tmp_path / "wav.ark").unlink()
    assert next(todo.product for todo in todo_corpus(recipe, [])) == "manifest/labeled"


def test_shards_are_cut_as_the_recipe_asks_and_back_again(own_recipe: Recipe) -> None:
    def slabs(recipe: Recipe) -> dict[str, tuple[int, str]]:
        run_corpus(recipe)
        store = ShardStore(recipe.run, MANIFEST)
        return {
            each.shard.name: (len(each.slabs), each.checksum) for split in SPLITS for each in store.entries(split)
        }

    whole = slabs(own_recipe)
    cut = slabs(changed(own_recipe, slab_minutes=0.05))
    assert sum(count for count, _ in cut.values()) > sum(count for count, _ in whole.values())
    assert len(slabs(changed(own_recipe, shard_minutes=0.1, slab_minutes=0.05))) > len(cut)
    assert slabs(own_recipe) == whole


def test_a_changed_listing_is_seen_and_lists_its_split_alone(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    before = written(own_recipe.run)
    assert run_again(own_recipe, before) == set()
    lines = (tmp_path / "unlabeled.jsonl").read_text().splitlines()
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(lines[1:]) + "\n")
    (todo, *_) = todo_corpus(own_recipe, [])
    assert (todo.product, todo.because) == ("manifest/unlabeled", ("source",))
    assert run_again(own_recipe, before) == {"unlabeled"}
    record = read_record(own_recipe.run, "unlabeled")
    assert record is not None
    assert (record.utterances, record.inputs) == (len(lines) - 1, split_inputs(own_recipe, "unlabeled"))


def test_a_forgotten_record_has_its_split_listed_to_the_same_shards(own_recipe: Recipe) -> None:
    run_corpus(own_recipe)
    before = written(own_recipe.run)
    forget_record(own_recipe.run, "dev")
    assert run_again(own_recipe, before) == {"dev"}
    assert {name for name, time in written(own_recipe.run).items() if before[name] != time} == {
        "corpus/splits/dev.json"
    }


def test_audio_that_has_moved_is_missed(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    (tmp_path / "0.flac").rename(tmp_path / "moved.flac")
    row = json.loads((tmp_path / "dev.jsonl").read_text())
    found = {todo.product: todo.because for todo in todo_corpus(own_recipe, [])}
    assert found["manifest/dev"] == ("shards or audio that are missing",)
    assert "manifest/test" not in found
    # Put right in the listing, it is another one.
    (tmp_path / "dev.jsonl").write_text(json.dumps({**row, "audio_filepath": "moved.flac"}) + "\n")
    found = {todo.product: todo.because for todo in todo_corpus(own_recipe, [])}
    assert found["manifest/dev"] == ("source",)


def test_a_damaged_record_is_named(own_recipe: Recipe) -> None:
    run_corpus(own_recipe)
    Path(split_record_uri(own_recipe.run, "dev")).write_text('{"inputs": ')
    with pytest.raises(ValueError, match=r"splits/dev\.json is damaged .* delete it and run the corpus stage again"):
        run_corpus(own_recipe)


def test_open_speech_is_cut_test_first_then_dev_then_the_others(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    for field, splits in (
        ("test_minutes", {*SPLITS}),
        ("dev_minutes", {"dev", "labeled", "unlabeled"}),
        ("labeled_minutes", {"labeled", "unlabeled"}),
        ("unlabeled_minutes", {"labeled", "unlabeled"}),
    ):
        other = changed(recipe, **{field: 2.5})
        moved = {split for split in SPLITS if split_inputs(recipe, split) != split_inputs(other, split)}
        assert moved == splits, field
        assert differences(split_inputs(recipe, "labeled"), split_inputs(other, "labeled")) == [f"corpus.{field}"]


def _mended(file: Path) -> None:
    """Other samples, as many and in as many bytes."""
    samples, rate = soundfile.read(file, dtype="int16")
    time = file.stat().st_mtime_ns
    soundfile.write(file, samples[::-1], rate)
    os.utime(file, ns=(time + 1_000_000, time + 1_000_000))


def test_changed_audio_is_seen_and_makes_its_shards_again(own_recipe: Recipe, tmp_path: Path) -> None:
    recipe = changed(own_recipe, shard_minutes=0.05, train_conditions=("clean",), labeled_copies=0)
    run_corpus(recipe)
    store = ShardStore(recipe.run, MANIFEST)
    first = {entry.shard: entry.checksum for entry in store.entries("unlabeled")}
    assert len(first) > 2
    for _ in range(2):  # as often as it is changed
        before = {entry.shard: entry.checksum for entry in store.entries("unlabeled")}
        _mended(tmp_path / "1.flac")
        (todo, *_) = todo_corpus(recipe, [])
        assert (todo.product, todo.because) == ("manifest/unlabeled", ("audio",))
        assert run_again(recipe, written(recipe.run)) == {"unlabeled"}
        assert run_again(recipe, written(recipe.run)) == set()
        now = {entry.shard: entry.checksum for entry in store.entries("unlabeled")}
        moved = [shard for shard in first if now[shard] != before[shard]]
        assert now.keys() == before.keys()
        assert len(moved) == 1
        assert str(tmp_path / "1.flac") in store.read_slab(moved[0], 0, ["audio"])["audio"].to_pylist()


@pytest.mark.parametrize("megabytes", [32, 0])
def test_changed_audio_of_believed_length_is_seen_in_lists_that_are_not_large(
    own_recipe: Recipe, tmp_path: Path, megabytes: float
) -> None:
    file = tmp_path / "unlabeled.jsonl"
    rows = [{**json.loads(line), "duration": 2.0} for line in file.read_text().splitlines()]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    recipe = changed(own_recipe, compared_list_mb=megabytes)
    run_corpus(recipe)
    checksums = ShardStore(recipe.run, MANIFEST).index("unlabeled").column("checksum").tolist()
    _mended(tmp_path / "1.flac")
    is_seen = {"unlabeled"} if megabytes else set()
    assert run_again(recipe, written(recipe.run)) == is_seen
    now = ShardStore(recipe.run, MANIFEST).index("unlabeled").column("checksum").tolist()
    assert (now != checksums) == bool(is_seen)
    assert todo_corpus(recipe, []) == []


def test_a_shard_of_changed_audio_that_is_lost_is_made_again_as_it_was(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    _mended(tmp_path / "1.flac")
    run_corpus(own_recipe)
    store = ShardStore(own_recipe.run, MANIFEST)
    before = {entry.shard: entry.checksum for entry in store.entries("unlabeled")}
    for shard in before:
        Path(store.uri(shard)).unlink()
    run_corpus(own_recipe)
    assert {entry.shard: entry.checksum for entry in store.entries("unlabeled")} == before


def test_audio_that_is_gone_counts_as_unchanged(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    inputs = split_inputs(own_recipe, "unlabeled")
    (tmp_path / "1.flac").unlink()
    assert split_inputs(own_recipe, "unlabeled") == inputs
    (tmp_path / "2.flac").write_bytes((tmp_path / "2.flac").read_bytes() + b"more")
    assert split_inputs(own_recipe, "unlabeled") != inputs


@pytest.mark.parametrize("missing", [False, True])
def test_audio_that_was_refused_is_read_again_once_it_is_mended(
    own_recipe: Recipe, tmp_path: Path, missing: bool
) -> None:
    whole = (tmp_path / "1.flac").read_bytes()
    (tmp_path / "1.flac").write_bytes(whole[:30])
    if missing:
        (tmp_path / "1.flac").unlink()
    recipe = changed(own_recipe, max_reject_share=0.5)
    assert run_corpus(recipe).rejected == 1
    assert run_again(recipe, written(recipe.run)) == set()
    (tmp_path / "1.flac").write_bytes(whole)
    assert run_again(recipe, written(recipe.run)) == {"unlabeled"}
    assert run_corpus(recipe).rejected == 0


def test_audio_that_was_gone_is_heard_once_it_is_there_again(own_recipe: Recipe, tmp_path: Path) -> None:
    """Its list and its own size and time are the same as before."""
    recipe = changed(own_recipe, max_reject_share=0.2)
    run_corpus(recipe)
    whole = (tmp_path / "unlabeled.jsonl").read_text()
    (tmp_path / "1.flac").rename(tmp_path / "away")
    (tmp_path / "unlabeled.jsonl").write_text(f"{whole}\n")
    assert run_corpus(recipe).rejected == 1
    (tmp_path / "away").rename(tmp_path / "1.flac")
    assert run_corpus(recipe).rejected == 0
    assert todo_corpus(recipe, []) == []


def test_all_audio_that_was_gone_is_heard_by_the_same_command(own_recipe: Recipe, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.flac").rename(tmp_path / f"away-{number}")
    with pytest.raises(ValueError, match="leaves no utterance"):
        run_corpus(own_recipe)
    for number in range(6):
        (tmp_path / f"away-{number}").rename(tmp_path / f"{number}.flac")
    assert run_corpus(own_recipe).rejected == 0


def test_a_run_of_an_earlier_version_keeps_its_sentences(own_recipe: Recipe) -> None:
    """It has a file of them for each split, and nothing of pieces and buckets."""
    run_corpus(own_recipe)
    text = Path(lm_text_uri(own_recipe.run)).read_text()
    for split in SPLITS:
        (file,) = Path(own_recipe.run, "corpus", "buckets", split).iterdir()
        Path(own_recipe.run, "corpus", "sentences").mkdir(exist_ok=True)
        file.rename(Path(own_recipe.run, "corpus", "sentences", f"{split}.txt"))
    for name in ("corpus/buckets", "corpus/pieces", "corpus/ids", "ledger/corpus", "cache"):
        shutil.rmtree(Path(own_recipe.run, name))
    Path(own_recipe.run, "corpus", "lm_text.json").unlink()
    report = run_corpus(own_recipe)
    assert report.skipped == report.pieces
    assert Path(lm_text_uri(own_recipe.run)).read_text() == text
    shutil.rmtree(Path(own_recipe.run, "corpus", "sentences"))
    assert {todo.product for todo in todo_corpus(own_recipe, [])} >= {f"manifest/{split}" for split in SPLITS}
