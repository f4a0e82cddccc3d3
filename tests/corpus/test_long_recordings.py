"""Unlabeled recordings of any length become utterances, whatever happens on the way."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus import cut_job, long_recordings, shuffle, split_listing, stage
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.bucket_job import buckets_before
from ssl_asr.corpus.segment.recordings import speech_segments
from ssl_asr.corpus.split_records import read_record
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.frontend.prior import Prior
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, filesystem
from ssl_asr.store.layout import rejects_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.long_speech import RATE, Talk, talk

Rows = list[dict[str, object]]
MAX_SECONDS = 8.0


@pytest.fixture(scope="module")
def talks(clips: list[Clip]) -> list[Talk]:
    return [talk(clips, seconds, seed) for seed, seconds in enumerate((50, 30, 20, 40))]


@pytest.fixture
def recipe(own_recipe: Recipe) -> Recipe:
    clean = dict.fromkeys(("train_conditions", "dev_conditions", "test_conditions"), ("clean",))
    return allowing(own_recipe, max_seconds=MAX_SECONDS, labeled_copies=0, unlabeled_copies=0, **clean)


@pytest.fixture
def long(recipe: Recipe, tmp_path: Path, talks: list[Talk]) -> Rows:
    """Beside the clips of the list four long recordings; of two the list says how long they are."""
    talks[0].write(tmp_path / "a.flac")
    talks[1].write(tmp_path / "b.wav", rate=44100, channel=2, channels=3)
    talks[2].write(tmp_path / "c.wav", rate=8000)
    talks[3].write(tmp_path / "d.flac")
    rows: Rows = [
        {"id": "a", "audio_filepath": "a.flac", "duration": talks[0].seconds},
        {"id": "b", "audio_filepath": "b.wav", "channel": 2, "speaker": "ann", "text": "said by ann"},
        {"id": "c", "audio_filepath": "c.wav", "duration": talks[2].seconds, "speaker": "ann"},
        {"id": "d", "audio_filepath": "d.flac"},
    ]
    add(tmp_path, rows)
    return rows


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """About a recording each."""
    monkeypatch.setattr(long_recordings, "BATCH_SECONDS", 20.0)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was listened to."""
    counts = Counter[str]()

    def counting(audio: str, **options: object) -> object:
        counts[Path(audio).name] += 1
        return speech_segments(audio, **options)

    monkeypatch.setattr(cut_job, "speech_segments", counting)
    return counts


def add(folder: Path, rows: Rows) -> None:
    with (folder / "unlabeled.jsonl").open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def segments(recipe: Recipe, recording: str) -> list[Utterance]:
    return [row for row in rows_of(recipe, "unlabeled") if row.id.startswith(f"{recording}-")]


def times(rows: Sequence[Utterance]) -> list[tuple[float, float]]:
    return [(row.offset, row.offset + row.duration) for row in rows]


def manifest(run: str) -> dict[str, bytes]:
    folder = Path(run, "manifest", "unlabeled")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def cuts(run: str) -> dict[str, tuple[bytes, int]]:
    folder = Path(run, "corpus", "cuts", "unlabeled")
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.glob("*.arrow")}


def rejects(recipe: Recipe) -> dict[str, str]:
    lines = Path(rejects_uri(recipe.run, "corpus")).read_text().splitlines()
    return {row["id"]: row["reason"] for row in map(json.loads, lines)}


def allowing(recipe: Recipe, **changed: object) -> Recipe:
    return recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update=changed)})


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


@pytest.fixture
def unbroken(recipe: Recipe, long: Rows, small_batches: None) -> dict[str, bytes]:
    other = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    run_corpus(other)
    return manifest(other.run)


@pytest.mark.parametrize("killed_after", [2, 4, 6, 8, 11, 13, 16, 20])
def test_a_killed_stage_goes_on_and_cuts_nothing_twice(
    recipe: Recipe,
    unbroken: dict[str, bytes],
    heard: Counter[str],
    killed_after: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "other.jsonl").write_text('{"id": "other", "audio_filepath": "0.flac"}\n')
    run_corpus(allowing(recipe, unlabeled=f"nemo:{tmp_path}/other.jsonl"))  # all but what is to be cut
    writes, whole = itertools.count(), filesystem.write_bytes

    def killed(uri: str, data: bytes) -> None:
        if "/corpus/" in uri and next(writes) == killed_after:
            raise KeyboardInterrupt
        whole(uri, data)

    with monkeypatch.context() as patch:
        patch.setattr(filesystem, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            run_corpus(recipe)
    finished = Path(recipe.run, "ledger", "corpus", "cuts", "unlabeled")
    done = len([*finished.glob("*.json")]) if finished.exists() else 0
    before = cuts(recipe.run)
    heard.clear()
    run_corpus(recipe)
    assert manifest(recipe.run) == unbroken
    assert len(heard) <= 4 - done
    assert sum(cuts(recipe.run).get(name) == held for name, held in before.items()) >= done
    heard.clear()
    assert todo_corpus(recipe, []) == []
    run_corpus(recipe)
    assert not heard


def test_batches_and_their_order_do_not_matter(
    recipe: Recipe, unbroken: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_recordings, "BATCH_SECONDS", 7200.0)
    monkeypatch.setattr(long_recordings, "GROUP_SECONDS", 1.0)
    plain = stage.in_this_process

    def backwards(what: str, shards: Sequence[object], make_job: Callable[[], object], **rest: object) -> object:
        return plain(what, list(shards)[::-1], make_job, **rest)

    monkeypatch.setattr(stage, "in_this_process", backwards)
    run_corpus(recipe)
    assert manifest(recipe.run) == unbroken


def test_buckets_are_as_many_as_their_segments_ask_for(
    recipe: Recipe, unbroken: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much there is to cut is known only when the list is read."""
    whole = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    before = {row.id: times([row]) for row in rows_of(whole, "unlabeled")}
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 700)
    run_corpus(recipe)
    assert buckets_before(recipe.run, "unlabeled") > 2
    assert {row.id: times([row]) for row in rows_of(recipe, "unlabeled")} == before
    assert todo_corpus(recipe, []) == []


def test_actors_cut_the_same_bytes(
    recipe: Recipe, long: Rows, ray_local: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_corpus(recipe)
    other = recipe.model_copy(update={"run": f"{recipe.run}-on-ray"})
    monkeypatch.setattr(stage, "SMALL_HOURS", 0.0)
    run_corpus(other)
    assert manifest(other.run) == manifest(recipe.run)
    assert {name: data for name, (data, _) in cuts(other.run).items()} == {
        name: data for name, (data, _) in cuts(recipe.run).items()
    }


def test_only_recordings_that_came_are_cut(
    recipe: Recipe, long: Rows, small_batches: None, heard: Counter[str], talks: list[Talk], tmp_path: Path
) -> None:
    run_corpus(recipe)
    assert heard == {"a.flac": 1, "b.wav": 1, "c.wav": 1, "d.flac": 1}
    heard.clear()
    before = {row.id for row in rows_of(recipe, "unlabeled")}
    talks[1].write(tmp_path / "z.flac")
    add(tmp_path, [{"id": "z", "audio_filepath": "z.flac"}])
    run_corpus(recipe)
    assert "z.flac" in heard
    assert len(heard) <= 2  # with what was in its batch
    assert before < {row.id for row in rows_of(recipe, "unlabeled")}
    heard.clear()
    lines = (tmp_path / "unlabeled.jsonl").read_text().splitlines()
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    run_corpus(recipe)
    assert len(heard) <= 1
    assert {row.id for row in rows_of(recipe, "unlabeled")} == before


def test_changed_audio_is_cut_again(
    recipe: Recipe, long: Rows, small_batches: None, heard: Counter[str], talks: list[Talk], tmp_path: Path
) -> None:
    run_corpus(recipe)
    heard.clear()
    other = Talk(np.roll(talks[0].samples, 5 * RATE), np.roll(talks[0].spoken, 5 * 50))
    other.write(tmp_path / "a.flac")
    run_corpus(recipe)
    assert "a.flac" in heard
    assert "d.flac" not in heard or "b.wav" not in heard
    assert other.covered(times(segments(recipe, "a"))) > 0.98


def test_what_cannot_be_cut_is_a_reject_and_stops_nothing(
    recipe: Recipe, long: Rows, talks: list[Talk], heard: Counter[str], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silent.flac", np.zeros(20 * RATE), RATE)
    soundfile.write(tmp_path / "noise.flac", 1e-3 * np.random.default_rng(0).standard_normal(20 * RATE), RATE)
    whole = talks[0].write(tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) * 9 // 10])
    whole = talks[0].write(tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) * 9 // 10])
    samples = talks[1].samples.copy()
    samples[-100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    names = ("silent.flac", "noise.flac", "cut.flac", "cut.wav", "nan.wav", "absent.flac")
    add(tmp_path, [{"id": name, "audio_filepath": name, "duration": 20} for name in names])
    add(tmp_path, [{"id": "late", "audio_filepath": "a.flac", "duration": talks[0].seconds + 0.4}])
    add(tmp_path, [{"id": "later", "audio_filepath": "a.flac", "duration": talks[0].seconds + 0.6}])
    add(tmp_path, [{"id": "channel", "audio_filepath": "a.flac", "duration": 20, "channel": 4}])
    recipe = allowing(recipe, max_reject_share=0.9)
    report = run_corpus(recipe)
    found = rejects(recipe)
    for name, reason in {
        "silent.flac": "no speech was found in its 20.00 s",
        "noise.flac": "no speech was found in its 20.00 s",
        "cut.wav": "truncated",
        "absent.flac": "missing",
        "later": "the file is truncated or its times are wrong",
        "channel": "channel 4 was asked for",
    }.items():
        assert reason in found[f"unlabeled/{name}"]
        assert "\n" not in found[f"unlabeled/{name}"]
    # Nothing is wrong with the first 20 s.
    assert segments(recipe, "nan.wav")
    assert segments(recipe, "cut.flac")
    assert segments(recipe, "late")
    assert report.rejected == len(found) == 6
    strict = allowing(recipe, max_reject_share=0.05)
    with pytest.raises(ValueError, match=r"6 of 19 utterances of unlabeled were rejected \(32%\)"):
        run_corpus(strict)


def test_a_damaged_end_is_found_where_all_is_heard(
    recipe: Recipe, talks: list[Talk], heard: Counter[str], tmp_path: Path
) -> None:
    whole = talks[0].write(tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) * 9 // 10])
    samples = talks[1].samples.copy()
    samples[-100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    talks[2].write(tmp_path / "good.wav")
    add(tmp_path, [{"id": name, "audio_filepath": name} for name in ("cut.flac", "nan.wav", "good.wav")])
    recipe = allowing(recipe, max_reject_share=0.9)
    assert run_corpus(recipe).rejected == 2
    found = rejects(recipe)
    assert "cut.flac" in found["unlabeled/cut.flac"]
    assert "NaN or infinite samples" in found["unlabeled/nan.wav"]
    assert segments(recipe, "good.wav")
    # Mended where nothing shows it: only what was refused is heard again.
    heard.clear()
    folder = Path(recipe.run, "corpus", "splits")
    (folder / "unlabeled.json").unlink()
    assert run_corpus(recipe).rejected == 2
    assert heard == {"cut.flac": 1, "nan.wav": 1}


def test_of_believed_lengths_only_long_recordings_are_opened(
    recipe: Recipe, talks: list[Talk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Counter[str]
) -> None:
    talks[0].write(tmp_path / "a.flac")
    lines = [
        {"id": "a", "audio_filepath": "a.flac", "duration": talks[0].seconds},
        *({"id": f"{number}", "audio_filepath": f"absent-{number}.flac", "duration": 5} for number in range(9)),
    ]
    (tmp_path / "unlabeled.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert recipe.corpus.trust_lengths
    assert run_corpus(recipe).rejected == 0
    assert heard == {"a.flac": 1}
    assert len(rows_of(recipe, "unlabeled")) == 9 + len(segments(recipe, "a"))


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


def test_ids_that_are_like_those_of_segments_are_told(
    recipe: Recipe, long: Rows, clips: list[Clip], tmp_path: Path
) -> None:
    run_corpus(recipe)
    first = segments(recipe, "a")[0]
    add(tmp_path, [{"id": first.id, "audio_filepath": "0.flac"}])
    assert run_corpus(recipe).rejected == 1
    assert f"unlabeled/{first.id}" in rejects(recipe)
    found = [row for row in rows_of(recipe, "unlabeled") if row.id == first.id]
    assert len(found) == 1


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


def test_without_segment_they_are_rejected(recipe: Recipe, long: Rows, clips: list[Clip]) -> None:
    run_corpus(recipe)
    other = allowing(recipe, segment=False, max_reject_share=0.5)
    assert run_corpus(other).rejected == 4
    assert {row.id for row in rows_of(other, "unlabeled")} == {f"{number}" for number in range(len(clips))}
    assert all("set corpus.segment: true or change these" in reason for reason in rejects(other).values())
    assert not cuts(other.run)


def test_lengths_that_contradict_each_other_are_told(recipe: Recipe, long: Rows) -> None:
    other = allowing(recipe, min_seconds=2.0, max_seconds=4.05)
    with pytest.raises(ValueError, match=r"corpus\.segment: segments of at most .* or set corpus\.segment: false"):
        run_corpus(other)


@pytest.fixture(autouse=True)
def no_banks_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """All conditions are clean here."""

    def none(*_: object) -> None:
        raise AssertionError("banks take seconds")

    monkeypatch.setattr(stage, "ensure_banks", none)
