"""The corpus stage where its work is done by Ray's actors, and where its lists and audio lie in a bucket."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ssl_asr.corpus import listed_files, sources, split_stage
from ssl_asr.corpus.readers import trees
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.utterance import SPLITS
from tests.corpus.conftest import rows_of
from tests.s3_server import S3Server


def manifests(recipe: Recipe) -> dict[str, bytes]:
    folder = Path(recipe.run, "manifest")
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def test_actors_make_the_same_bytes(
    own_recipe: Recipe, ray_local: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_corpus(own_recipe)
    other = own_recipe.model_copy(update={"run": str(tmp_path / "on-ray")})
    monkeypatch.setattr(split_stage, "SMALL_BYTES", 0)
    run_corpus(other)
    assert manifests(other) == manifests(own_recipe)
    assert todo_corpus(other, []) == []


def test_a_list_that_cannot_be_read_stops_the_stage_with_its_sentence(
    own_recipe: Recipe, ray_local: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "unlabeled.jsonl").write_text('[\n{"audio_filepath": "a.wav"}\n]\n')
    monkeypatch.setattr(split_stage, "SMALL_BYTES", 0)
    with pytest.raises(ValueError, match=r"unlabeled\.jsonl is a JSON array, not one object a line; convert it"):
        run_corpus(own_recipe)


def test_lists_and_audio_may_lie_in_a_bucket(own_recipe: Recipe, tmp_path: Path, s3: S3Server) -> None:
    bucket = s3.create_bucket("corpus")
    rows = [json.loads(line) for line in (tmp_path / "unlabeled.jsonl").read_text().splitlines()]
    for number, row in enumerate(rows):
        uri = f"{bucket}/audio/{number}.flac"
        filesystem.write_bytes(uri, (tmp_path / row["audio_filepath"]).read_bytes())
        line = json.dumps({**row, "audio_filepath": uri, "id": str(number)}) + "\n"
        filesystem.write_bytes(f"{bucket}/lists/part-{number}.jsonl.gz", gzip.compress(line.encode()))
    filesystem.write_bytes(f"{bucket}/lists/other.jsonl", b"no list")
    corpus = own_recipe.corpus.model_copy(update={"unlabeled": f"nemo:{bucket}/lists/part-*.jsonl.gz"})
    recipe = own_recipe.model_copy(update={"corpus": corpus})
    report = run_corpus(recipe)
    assert report.rejected == 0
    found = rows_of(recipe, "unlabeled")
    assert sorted(row.recording for row in found) == [str(number) for number in range(len(rows))]
    assert {row.audio for row in found} == {f"{bucket}/audio/{number}.flac" for number in range(len(rows))}
    assert todo_corpus(recipe, []) == []
    filesystem.delete(f"{bucket}/lists/part-0.jsonl.gz")
    run_corpus(recipe)
    assert "0" not in {row.recording for row in rows_of(recipe, "unlabeled")}
    assert rows[0]["text"] not in Path(lm_text_uri(recipe.run)).read_text()


def test_each_source_is_looked_for_once(own_recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for = list[str]()
    real = sources.pieces_at
    monkeypatch.setattr(sources, "pieces_at", lambda *named: looked_for.append(":".join(named)) or real(*named))
    run_corpus(own_recipe)
    assert sorted(looked_for) == sorted(own_recipe.corpus.source_of(split) for split in SPLITS)
    looked_for.clear()
    assert todo_corpus(own_recipe, []) == []
    assert len(looked_for) == 4


def test_a_folder_in_a_bucket_is_listed_as_often_as_it_is_read_anew(
    own_recipe: Recipe, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "FILES", 2)
    monkeypatch.setattr(listed_files, "MOST_CARRIED", 1)
    bucket = s3.create_bucket("talks")
    for number in range(6):
        filesystem.write_bytes(f"{bucket}/talks/{number}.flac", (tmp_path / f"{number}.flac").read_bytes())
    recipe = own_recipe.model_copy(
        update={"corpus": own_recipe.corpus.model_copy(update={"unlabeled": f"folder:{bucket}/talks"})}
    )
    s3.requests.clear()
    run_corpus(recipe)
    assert {row.audio for row in rows_of(recipe, "unlabeled")} == {f"{bucket}/talks/{n}.flac" for n in range(6)}
    deep = [each for each in s3.requests if "list-type=2" in each and "delimiter" not in each]
    assert len(deep) == 1
    assert not Path(recipe.run, "corpus", "listed", "unlabeled").exists()
