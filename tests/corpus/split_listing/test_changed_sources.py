"""Of a source that has changed, only what is different is cut again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ssl_asr.corpus import shuffle
from tests.corpus.conftest import rows_of
from tests.corpus.split_listing.listed import in_series, listed, shards, speech, write


def test_added_speakers_leave_other_shards_alone(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(40))
    buckets = listed(recipe, tmp_path / "source").buckets
    before = shards(recipe)
    (tmp_path / "source" / "part-9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in speech(9, first=100)))
    assert listed(recipe, tmp_path / "source").buckets == buckets
    after = shards(recipe)
    assert before.items() <= after.items()
    assert len(rows_of(recipe, "unlabeled")) == 49 * 20
    (tmp_path / "source" / "part-9.jsonl").unlink()
    listed(recipe, tmp_path / "source")
    assert shards(recipe) == before


def test_only_buckets_with_other_rows_are_cut_again(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(60))
    buckets = listed(recipe, tmp_path / "source").buckets
    cut = dict[str, list[int]]()

    def noting(what, todo, make_job, *, skipped):
        cut[what] = [shard.number for shard in todo]
        return in_series(what, todo, make_job)

    file = tmp_path / "source" / "part-1.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    row = json.loads(first)
    changed = json.dumps({**row, "text": row["text"].upper()}) + "\n"
    assert len(changed) == len(first), "pieces begin where they did"
    file.write_text("".join([changed, *others]))
    listed(recipe, tmp_path / "source", place=noting)
    assert len(cut["reading unlabeled"]) > 0
    assert cut["ids of unlabeled"] == []
    assert cut["cutting unlabeled"] == shuffle.buckets_of([row["speaker"]], buckets).tolist()


def test_shards_of_a_run_without_buckets_are_kept(recipe, tmp_path):
    """As those of an earlier version, whose source had grown."""
    write(tmp_path / "source", speech(20))
    listed(recipe, tmp_path / "source")
    (tmp_path / "source" / "part-9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in speech(5, first=100)))
    listed(recipe, tmp_path / "source")
    before = shards(recipe)
    for folder in ("corpus", "ledger/corpus", "cache"):
        shutil.rmtree(Path(recipe.run, folder), ignore_errors=True)
    listed(recipe, tmp_path / "source")
    assert shards(recipe) == before


def test_a_source_of_another_size_is_cut_anew(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(80))
    many = listed(recipe, tmp_path / "source").buckets
    write(tmp_path / "source", speech(4))
    assert listed(recipe, tmp_path / "source").buckets < many / 4
    assert len(rows_of(recipe, "unlabeled")) == 80


def test_a_source_of_many_pieces_may_become_one_piece(recipe, tmp_path):
    write(tmp_path / "source", speech(20))
    listed(recipe, tmp_path / "source")
    write(tmp_path / "source", speech(4), files=1)
    for file in ("part-1.jsonl", "part-2.jsonl"):
        (tmp_path / "source" / file).unlink()
    listed(recipe, tmp_path / "source", size=100_000)
    assert len(rows_of(recipe, "unlabeled")) == 80
