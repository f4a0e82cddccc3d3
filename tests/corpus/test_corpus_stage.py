import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.open_speech import packages, synthesis
from ssl_asr.corpus.split_records import forget_record
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.progress import Step
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store.corpus_layout import lm_text_uri, source_uri
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SPLITS, decode
from tests.conftest import tiny_recipe
from tests.corpus.conftest import Clip, rows_of


def _contents(run: str) -> dict[str, str]:
    """All that the stage writes but its report; other tests' stages may have written to the shared run too."""
    files = {str(file.relative_to(run)): file for file in Path(run).rglob("*") if file.is_file()}
    mine = (name for name in files if name.startswith(("manifest/", "corpus/")) or name == "rejects/corpus.jsonl")
    return {name: checksum(files[name].read_bytes()) for name in mine}


def test_manifests(corpus_run: Recipe) -> None:
    rows = {split: rows_of(corpus_run, split) for split in SPLITS}
    for split, found in rows.items():
        assert len({row.id for row in found}) == len(found) > 0
        store = ShardStore(corpus_run.run, MANIFEST)
        frames = sum(entry.frames for entry in store.entries(split))
        assert frames == pytest.approx(100 * sum(row.duration for row in found), rel=1e-3)
    clean = {row.recording: row for row in rows["labeled"] if row.condition == "clean"}
    copies = [row for row in rows["labeled"] if row.condition != "clean"]
    assert len(copies) == len(clean)
    assert all(copy.text == clean[copy.recording].text for copy in copies)
    tested = {(row.recording, row.condition) for row in rows["test"]}
    assert tested == {(row.recording, condition) for row in rows["test"] for condition in ("clean", "babble-10")}
    assert all(row.tags["set"] for row in rows["test"])
    sentences = set(Path(lm_text_uri(corpus_run.run)).read_text().splitlines())
    assert {row.text for row in rows["labeled"]} <= sentences
    assert not {row.text for row in (*rows["dev"], *rows["test"])} & sentences
    assert Path(source_uri(corpus_run.run)).read_text().startswith(("recorded", "synthesised because"))


def test_unlabeled_speech_has_no_text(corpus_run: Recipe) -> None:
    unlabeled = rows_of(corpus_run, "unlabeled")
    assert all(row.text for row in unlabeled)  # for the topline: the source knows them
    entries = ShardStore(corpus_run.run, MANIFEST).entries("unlabeled")
    assert sum(entry.statistics["texts"] for entry in entries) == len(unlabeled)


def test_done_work_is_skipped_and_a_lost_shard_made_again(corpus_run: Recipe) -> None:
    before = _contents(corpus_run.run)
    report = run_corpus(corpus_run)
    assert report.skipped == report.pieces > 0
    store = ShardStore(corpus_run.run, MANIFEST)
    lost = store.entries("labeled")[0].shard
    Path(store.uri(lost)).unlink()
    assert run_corpus(corpus_run).skipped == report.pieces - len(store.shards("labeled"))
    assert _contents(corpus_run.run) == before


def test_same_recipe_same_bytes_and_no_stale_shards(corpus_run: Recipe, tmp_path: Path) -> None:
    # No banks to make.
    conditions = ("corpus.train_conditions=[clean]", "corpus.test_conditions=[clean]", "corpus.labeled_copies=0")
    other = tiny_recipe(tmp_path, "corpus.shard_minutes=0.5", *conditions)
    store = ShardStore(corpus_run.run, MANIFEST)
    assert run_corpus(other).pieces > sum(len(store.shards(split)) for split in SPLITS)
    again = tiny_recipe(tmp_path)
    report = run_corpus(again)
    assert report.skipped == 0
    assert _contents(again.run) == _contents(corpus_run.run)


def test_own_sources_without_any_download(own_recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    report = run_corpus(own_recipe)
    assert report.rejected == 0
    assert not (tmp_path / "nothing").exists()
    assert {row.condition for row in rows_of(own_recipe, "labeled")} == {"clean", "room"}
    assert len(rows_of(own_recipe, "labeled")) == 2 * len(clips)
    assert {row.tags["set"] for row in rows_of(own_recipe, "test")} == {"test"}
    kept_out = {row.text for split in ("dev", "test") for row in rows_of(own_recipe, split)}
    assert not kept_out & set(Path(lm_text_uri(own_recipe.run)).read_text().splitlines())


def _unlabeled_files(run: str) -> dict[Path, tuple[bytes, int]]:
    """Bytes and time of the manifest's shards and their ledger entries."""
    folders = (Path(run, "manifest", "unlabeled"), Path(run, "ledger", "manifest", "unlabeled"))
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for folder in folders for file in folder.iterdir()}


def _run_anew(recipe: Recipe, source: Path, rows: list[dict[str, str]]) -> dict[Path, tuple[bytes, int]]:
    """The files after a run on `rows`, each of which is there exactly once; no other split is listed again."""
    lines = "\n".join(map(json.dumps, rows)) + "\n"
    if source.read_text() == lines:
        forget_record(recipe.run, "unlabeled")  # else nothing would be done
    source.write_text(lines)
    is_first = not Path(recipe.run).exists()
    report = run_corpus(recipe)
    shards = len(ShardStore(recipe.run, MANIFEST).shards("unlabeled"))
    assert report.skipped == (0 if is_first else report.pieces - shards)
    assert sorted(row.recording for row in rows_of(recipe, "unlabeled")) == sorted(row["id"] for row in rows)
    assert run_corpus(recipe).skipped == report.pieces
    return _unlabeled_files(recipe.run)


@pytest.fixture
def small_shards(own_recipe: Recipe) -> Recipe:
    """About a speaker a shard."""
    corpus = own_recipe.corpus.model_copy(update={"shard_minutes": 0.1, "slab_minutes": 0.05})
    return own_recipe.model_copy(update={"corpus": corpus})


@pytest.fixture
def rows(own_recipe: Recipe, tmp_path: Path) -> list[dict[str, str]]:
    lines = (tmp_path / "unlabeled.jsonl").read_text().splitlines()
    return [{**json.loads(line), "id": f"old-{number}"} for number, line in enumerate(lines)]


def test_added_and_removed_speakers_leave_other_shards_alone(
    small_shards: Recipe, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    source = tmp_path / "unlabeled.jsonl"
    first = _run_anew(small_shards, source, rows)
    assert len(first) // 2 >= 3
    assert _run_anew(small_shards, source, rows) == first
    added = [{**row, "id": f"new-{number}", "speaker": f"0-{number}"} for number, row in enumerate(rows)]
    grown = _run_anew(small_shards, source, added + rows)
    assert first.items() <= grown.items()
    assert sorted({int(file.stem) for file in grown}) == list(range(len(grown) // 2))
    store = ShardStore(small_shards.run, MANIFEST)
    speakers = {
        entry.shard.number: {row.speaker for slab in store.read_slabs(entry.shard) for row in decode(slab)}
        for entry in store.entries("unlabeled")
    }
    gone = rows[0]["speaker"]
    shrunk = _run_anew(small_shards, source, [row for row in added + rows if row["speaker"] != gone])
    others = {file: held for file, held in grown.items() if gone not in speakers[int(file.stem)]}
    assert 0 < len(others) < len(grown)
    assert others.items() <= shrunk.items()
    assert shrunk.keys() <= grown.keys()


def test_a_shard_is_kept_only_if_it_is_the_file_of_its_entry(
    small_shards: Recipe, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    first = _run_anew(small_shards, tmp_path / "unlabeled.jsonl", rows)
    shards = sorted(file for file in first if file.suffix == ".parquet")
    shards[0].write_bytes(first[shards[1]][0])
    shards[2].write_bytes(b"")
    again = _run_anew(small_shards, tmp_path / "unlabeled.jsonl", rows)
    assert {file: data for file, (data, _) in again.items()} == {file: data for file, (data, _) in first.items()}
    assert again[shards[1]] == first[shards[1]]


def test_steps_are_noted_while_splits_are_listed(own_recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = list[Step | None]()
    monkeypatch.setattr(StageClock, "note", lambda self, step: steps.append(step))
    run_corpus(own_recipe)
    assert steps[:2] == [Step("reading labeled", 1, 1, "shards"), Step("cutting labeled", 1, 1, "shards")]
    assert {step.what for step in steps if step} == {
        f"{what} {split}" for what in ("reading", "cutting") for split in SPLITS
    }
    assert steps[-1] is None


def test_refused_before_any_work(own_recipe: Recipe) -> None:
    for values, part in (
        ({"labeled": "kaldy:data"}, "did you mean 'kaldi:PATH'"),
        ({"labeled": "open speech"}, "did you mean 'open-speech'"),
        ({"dev": "kaldi:/does/not/exist"}, "there is no /does/not/exist"),
        ({"test_conditions": ("clean", "bable-5")}, "babble-5"),
    ):
        recipe = own_recipe.model_copy(update={"corpus": own_recipe.corpus.model_copy(update=values)})
        with pytest.raises(ValueError, match=part):
            run_corpus(recipe)
    assert not Path(own_recipe.run).exists()


def test_synthesised_speech_where_none_can_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_apt(*_: object) -> None:
        raise packages.FetchError("apt-get is missing here")

    monkeypatch.setattr(packages, "fetch", no_apt)
    monkeypatch.setattr(synthesis, "_SENTENCES", 140)
    recipe = tiny_recipe(
        tmp_path / "run",
        f"corpus.cache={tmp_path / 'cache'}",
        "corpus.labeled_minutes=2",
        "corpus.unlabeled_minutes=1",
        "corpus.dev_minutes=0.2",
        "corpus.test_minutes=0.2",
    )
    run_corpus(recipe)
    source = Path(source_uri(recipe.run)).read_text()
    assert source.startswith("synthesised because apt-get is missing here")
    assert source.count("\n") == 1
    assert {row.tags["set"] for row in rows_of(recipe, "test")} == {"seen", "unseen"}
    trained = {row.speaker for split in ("labeled", "unlabeled") for row in rows_of(recipe, split)}
    assert len(trained) >= 5
    assert not trained & {*synthesis.HELD_OUT, *synthesis.BABBLE["train"], *synthesis.BABBLE["test"]}
    spoken = rows_of(recipe, "dev")[0]
    samples, rate = soundfile.read(spoken.audio)
    assert rate == 16000
    assert np.sqrt(np.mean(samples**2)) > 0.01
