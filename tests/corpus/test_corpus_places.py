"""The corpus stage where its work is done by Ray's actors, and where its lists and audio lie in a bucket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssl_asr.corpus import stage
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import lm_text_uri
from tests.corpus.conftest import rows_of
from tests.s3_server import S3Server, s3_server


def manifests(recipe: Recipe) -> dict[str, bytes]:
    folder = Path(recipe.run, "manifest")
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def test_actors_make_the_same_bytes(
    own_recipe: Recipe, ray_local: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_corpus(own_recipe)
    other = own_recipe.model_copy(update={"run": str(tmp_path / "on-ray")})
    monkeypatch.setattr(stage, "SMALL_BYTES", 0)
    run_corpus(other)
    assert manifests(other) == manifests(own_recipe)
    assert todo_corpus(other, []) == []


def test_a_list_that_cannot_be_read_stops_the_stage_with_its_sentence(
    own_recipe: Recipe, ray_local: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "unlabeled.jsonl").write_text('[\n{"audio_filepath": "a.wav"}\n]\n')
    monkeypatch.setattr(stage, "SMALL_BYTES", 0)
    with pytest.raises(ValueError, match=r"unlabeled\.jsonl is a JSON array, not one object a line; convert it"):
        run_corpus(own_recipe)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_lists_and_audio_may_lie_in_a_bucket(own_recipe: Recipe, tmp_path: Path, server: S3Server) -> None:
    bucket = server.create_bucket("corpus")
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
