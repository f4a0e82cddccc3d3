"""A split cut in many pieces and buckets holds what its source does."""

from __future__ import annotations

import itertools
import json

import pytest

from ssl_asr.corpus import shuffle, split_listing
from ssl_asr.corpus.sharding import Recordings, cut_shards
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance, encode
from tests.corpus.conftest import rows_of
from tests.corpus.split_listing.listed import contents, in_series, listed, speech, write


def test_shards_hold_whole_speakers_in_order_of_time(recipe, tmp_path, small_buckets):
    rows = speech(60)
    write(tmp_path / "source", rows)
    assert listed(recipe, tmp_path / "source").buckets > 5
    found = rows_of(recipe, "unlabeled")
    assert sorted(row.recording for row in found) == sorted(str(row["id"]) for row in rows)
    for speaker, of_speaker in itertools.groupby(found, key=lambda row: row.speaker):
        held = list(of_speaker)
        assert len(held) == 20, f"{speaker} is in one shard"
        assert [row.order for row in held] == list(range(20))
        assert [row.offset for row in held] == [10.0 * place for place in range(20)]


def test_one_bucket_is_cut_as_all_speech_at_once(recipe, tmp_path):
    rows = speech(30)
    write(tmp_path / "source", rows)
    assert listed(recipe, tmp_path / "source").buckets == 1
    in_time = sorted((Utterance(**row) for row in rows), key=lambda row: (row.speaker, row.offset))
    wanted = cut_shards(Recordings.of(encode(in_time)), 4, 1)
    entries = ShardStore(recipe.run, MANIFEST).entries("unlabeled")
    assert [len(entry.slabs) for entry in entries] == list(map(len, wanted))
    assert [entry.rows for entry in entries] == [sum(map(len, slabs)) for slabs in wanted]


def test_pieces_and_their_order_do_not_matter(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(40))
    listed(recipe, tmp_path / "source")
    before = contents(recipe)

    def backwards(what, todo, make_job, *, skipped):
        return in_series(what, list(todo)[::-1], make_job)

    for size, place in ((1500, backwards), (100_000, in_series)):
        other = recipe.model_copy(update={"run": f"{recipe.run}-{size}"})
        listed(other, tmp_path / "source", size, place)
        assert contents(other) == before


def test_recordings_that_are_speakers_of_their_own(recipe, tmp_path, small_buckets):
    rows = [{**row, "speaker": "nobody knows", "channel": int(row["offset"]) // 100} for row in speech(30)]
    write(tmp_path / "source", rows)
    assert listed(recipe, tmp_path / "source", group="recording").buckets > 2
    found = rows_of(recipe, "unlabeled")
    assert len(found) == len(rows)
    assert {row.speaker for row in found} == {f"{row.audio}{'#1' * row.channel}" for row in found}
    assert len({row.speaker for row in found}) == 60


def test_where_the_source_is_grouped_nothing_is_shuffled(recipe, tmp_path, small_buckets):
    (tmp_path / "source").mkdir()
    for part in range(3):
        rows = sorted(speech(10, first=10 * part), key=lambda row: str(row["speaker"]))
        (tmp_path / "source" / f"part-{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert listed(recipe, tmp_path / "source", 100_000, group="source").buckets == 3
    store = ShardStore(recipe.run, MANIFEST)
    for shard in store.shards("unlabeled"):
        speakers = {int(name.split()[1]) // 10 for name in store.read(shard)["speaker"].to_pylist()}
        assert speakers == {shard.number % 3}
    assert len(rows_of(recipe, "unlabeled")) == 600


def test_a_speaker_of_everything_is_refused(recipe, tmp_path, small_buckets, monkeypatch):
    monkeypatch.setattr(split_listing, "MOST_ROWS", 100)
    write(tmp_path / "source", [{**row, "speaker": "unknown"} for row in speech(10)])
    with pytest.raises(ValueError, match=r"^200 utterances of unlabeled .* set corpus\.group=recording;"):
        listed(recipe, tmp_path / "source")


def test_ids_that_are_used_again_are_rejected(recipe, tmp_path, small_buckets):
    rows = speech(40)
    again = [{**row, "speaker": "another", "audio": "/audio/other.flac"} for row in rows[:30]]
    write(tmp_path / "source", rows)
    (tmp_path / "source" / "part-9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in again))
    listed(recipe, tmp_path / "source")
    found = rows_of(recipe, "unlabeled")
    assert sorted(row.recording for row in found) == sorted(str(row["id"]) for row in rows)
    assert not any(row.speaker == "another" for row in found)
    rejects = shuffle.buckets_store(recipe.run).rejects("unlabeled")
    assert sorted(reject.id for reject in rejects) == sorted(str(row["id"]) for row in again)
    (tmp_path / "source" / "part-9.jsonl").unlink()
    listed(recipe, tmp_path / "source")
    assert not shuffle.buckets_store(recipe.run).rejects("unlabeled")
