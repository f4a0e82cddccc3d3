"""Unlabeled recordings of any length become utterances."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus import shuffle, split_listing
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.bucket_job import buckets_before
from ssl_asr.corpus.split_records import read_record
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.frontend.prior import Prior
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.recipe import Recipe
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.long_recordings.listed import (
    MAX_SECONDS,
    Rows,
    add,
    allowing,
    rejects,
    segments,
    times,
)
from tests.corpus.long_speech import RATE, Talk


def test_all_speech_is_in_segments_that_do_not_overlap(
    recipe: Recipe, long: Rows, talks: list[Talk], clips: list[Clip], capsys: pytest.CaptureFixture[str]
) -> None:
    report = run_corpus(recipe)
    assert report.rejected == 0
    for row, spoken in zip(long, talks, strict=True):
        found = segments(recipe, str(row["id"]))
        assert len(found) > 2
        assert spoken.covered(times(found)) > 0.98
        assert all(recipe.corpus.min_seconds <= each.duration <= MAX_SECONDS for each in found)
        assert [each.order for each in found] == sorted(each.order for each in found)
        assert all(one <= other for (_, one), (other, _) in itertools.pairwise(times(found)))
        assert {each.channel for each in found} == {row.get("channel", 0)}
        assert {each.text for each in found} == {None}
    assert {each.speaker for name in "bc" for each in segments(recipe, name)} == {"ann"}
    assert {each.speaker for each in segments(recipe, "d")} == {segments(recipe, "d")[0].audio}
    utterances = rows_of(recipe, "unlabeled")
    assert len({each.id for each in utterances}) == len(utterances)
    record = read_record(recipe.run, "unlabeled")
    assert record is not None
    total = sum(spoken.seconds for spoken in talks)
    kept = sum(each.duration for name in "abcd" for each in segments(recipe, name))
    assert record.cut["recordings"] == 4
    assert record.cut["segments"] == len(utterances) - len(clips)
    assert record.cut["seconds"] == pytest.approx(total, abs=0.01)
    assert record.cut["left_out_seconds"] == pytest.approx(total - kept, abs=0.01)
    assert record.rejected_and_listed == (0, len(clips) + 4)
    assert record.rates.keys() == {"8000", "16000", "44100"}
    assert report.figures["unlabeled_minutes_without_speech"] == pytest.approx((total - kept) / 60, abs=0.06)
    said = capsys.readouterr().err
    assert f"4 recordings longer than corpus.max_seconds were cut into {record.cut['segments']:.0f} segments" in said
    assert "1 texts of recordings that are cut by voice activity are left out" in said


def test_recordings_that_are_listed_twice_count_as_recordings(
    recipe: Recipe, long: Rows, clips: list[Clip], tmp_path: Path
) -> None:
    (tmp_path / "unlabeled-2.jsonl").write_bytes((tmp_path / "unlabeled.jsonl").read_bytes())
    run_corpus(allowing(recipe, unlabeled=f"nemo:{tmp_path}/unlabeled*.jsonl", max_reject_share=0.6))
    record = read_record(recipe.run, "unlabeled")
    assert record is not None
    assert record.segments_again == record.cut["segments"] / 2 > 8
    assert record.rejected_and_listed == (len(clips) + 4, 2 * (len(clips) + 4))


def test_segments_follow_a_change_of_what_shards_hold_whole(
    recipe: Recipe, long: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (tmp_path / "unlabeled.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "unlabeled.jsonl").write_text("".join(lines[::2]))
    (tmp_path / "unlabeled-2.jsonl").write_text("".join(lines[1::2]))
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 1500)
    grouped = {
        group: allowing(recipe, unlabeled=f"nemo:{tmp_path}/unlabeled*.jsonl", group=group)
        for group in ("source", "speaker")
    }
    run_corpus(grouped["source"])
    assert buckets_before(recipe.run, "unlabeled") == 2
    fresh = grouped["speaker"].model_copy(update={"run": f"{recipe.run}-fresh"})
    monkeypatch.setattr(shuffle, "MOST_BUCKETS", 2)  # as many as by source, which a run keeps
    monkeypatch.setattr(split_listing, "MOST_BUCKETS", 2)
    run_corpus(grouped["speaker"])
    run_corpus(fresh)
    assert buckets_before(fresh.run, "unlabeled") == 2
    assert rows_of(grouped["speaker"], "unlabeled") == rows_of(fresh, "unlabeled")


def test_offsets_are_right_to_the_sample(recipe: Recipe, long: Rows, tmp_path: Path) -> None:
    run_corpus(recipe)
    for row in long:
        file = tmp_path / str(row["audio_filepath"])
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        for each in segments(recipe, str(row["id"])):
            begin, size = each.offset * rate, each.duration * rate
            assert begin == pytest.approx(round(begin), abs=1e-4)
            assert size == pytest.approx(round(size), abs=1e-4)
            whole = samples[round(begin) : round(begin) + round(size), each.channel]
            read = read_audio(each.audio, each.offset, each.duration, each.channel, rate)
            np.testing.assert_array_equal(read, whole)
            assert each.id == f"{row['id']}-{1000 * each.offset:07.0f}-{1000 * (each.offset + each.duration):07.0f}"


def test_the_front_end_takes_them(recipe: Recipe, long: Rows) -> None:
    run_corpus(recipe)
    store = ShardStore(recipe.run, features.STORE)
    job = FeatureJob(recipe, Prior((9.0,) * 64, 12.0, 1000, {}))
    rows = rows_of(recipe, "unlabeled")
    for shard in ShardStore(recipe.run, "manifest").shards("unlabeled"):
        job(shard)
    entries = store.entries("unlabeled")
    assert sum(entry.rows for entry in entries) == len(rows)
    assert not any(entry.rejects for entry in entries)
    frames = {
        row["id"]: row["num_frames"]
        for entry in entries
        for slab in store.read_slabs(entry.shard, ["id", "num_frames"])
        for row in slab.to_pylist()
    }
    assert all(frames[row.id] == pytest.approx(100 * row.duration, abs=4) for row in rows)


def test_a_part_of_a_recording_is_cut_inside_itself(recipe: Recipe, talks: list[Talk], tmp_path: Path) -> None:
    talks[0].write(tmp_path / "a.flac")
    add(tmp_path, [{"id": "part", "audio_filepath": "a.flac", "offset": 12.3456789, "duration": 25.0}])
    run_corpus(recipe)
    found = segments(recipe, "part")
    assert len(found) > 1
    assert all(start >= 12.345 and end <= 37.346 for start, end in times(found))
    inside = np.zeros(len(talks[0].spoken), bool)
    inside[round(12.4 * 50) : round(37.3 * 50)] = True
    part = Talk(talks[0].samples, talks[0].spoken & inside)
    assert part.covered(times(found)) > 0.97


def test_labeled_speech_is_not_cut_unless_its_list_gives_segments(
    recipe: Recipe, talks: list[Talk], clips: list[Clip], tmp_path: Path
) -> None:
    """Kaldi's segments, which `own_recipe` has, NeMo's offsets and lhotse's supervisions."""
    talks[0].write(tmp_path / "a.flac")
    spans = {"one": (0.0, 5.0), "two": (10.25, 6.5)}
    nemo = [
        {"id": name, "audio_filepath": "a.flac", "offset": offset, "duration": duration, "text": "some words"}
        for name, (offset, duration) in spans.items()
    ]
    (tmp_path / "nemo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in nemo))
    recording = {
        "id": "a",
        "sources": [{"type": "file", "channels": [0], "source": str(tmp_path / "a.flac")}],
        "sampling_rate": RATE,
        "num_samples": len(talks[0].samples),
        "duration": talks[0].seconds,
    }
    cut = {
        "id": "cut",
        "start": 0,
        "duration": talks[0].seconds,
        "channel": 0,
        "type": "MonoCut",
        "recording": recording,
        "supervisions": [
            {"id": name, "recording_id": "a", "start": at, "duration": lasts, "channel": 0, "text": "some words"}
            for name, (at, lasts) in spans.items()
        ],
    }
    (tmp_path / "cuts.jsonl").write_text(json.dumps(cut) + "\n")
    for source in (f"nemo:{tmp_path}/nemo.jsonl", f"lhotse:{tmp_path}/cuts.jsonl"):
        other = allowing(recipe, labeled=source)
        assert run_corpus(other).rejected == 0
        assert {row.id: (row.offset, row.duration) for row in rows_of(other, "labeled")} == spans
    nemo.append({"id": "whole", "audio_filepath": "a.flac", "text": "all of it"})
    (tmp_path / "nemo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in nemo))
    other = allowing(recipe, labeled=f"nemo:{tmp_path}/nemo.jsonl", max_reject_share=0.5)
    assert run_corpus(other).rejected == 1
    assert "cut it into segments or change these" in rejects(other)["labeled/whole"]
    assert {row.id for row in rows_of(other, "labeled")} == {*spans}
