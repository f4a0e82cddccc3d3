"""Tarred datasets in the layout of NeMo's convert_to_tarred_audio_dataset.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.nemo_tarred import nemo_tarred_pieces, read_nemo_tarred
from ssl_asr.corpus.readers.reading import Reading, joined
from ssl_asr.corpus.readers.registry import READERS, ReadOptions, pieces_at
from ssl_asr.recipe import Corpus
from ssl_asr.store import filesystem
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech
from tests.corpus.readers.test_tars import tar_of
from tests.corpus.readers.test_webdataset import sound

Rows = list[dict[str, Any]]


def lines(rows: Rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_tarred(folder: Path, clips: list[Clip], first: int = 0, *, sharded: bool = True) -> Rows:
    """Tars of two clips each; the entries of all."""
    (folder / "sharded_manifests").mkdir(parents=True)
    rows: Rows = []
    for shard in range(len(clips) // 2):
        mine = {f"data_{first + 2 * shard + place}.flac": clips[2 * shard + place] for place in range(2)}
        (folder / f"audio_{first // 2 + shard}.tar").write_bytes(
            tar_of({name: sound(clip) for name, clip in mine.items()})
        )
        new = [
            {"audio_filepath": name, "duration": len(clip.samples) / clip.rate, "text": clip.text}
            | {"speaker": clip.speaker, "shard_id": first // 2 + shard}
            for name, clip in mine.items()
        ]
        if sharded:
            (folder / "sharded_manifests" / f"manifest_{first // 2 + shard}.json").write_text(lines(new))
        rows += new
    (folder / "tarred_audio_manifest.json").write_text(lines(rows))
    return rows


def read(folder: Path) -> Reading:
    found = nemo_tarred_pieces(str(folder))
    return joined(read_nemo_tarred(piece.uri, part=(piece.begin, piece.end)) for piece in found)


@pytest.mark.parametrize("sharded", [True, False])
def test_both_forms_of_manifests(tmp_path: Path, clips: list[Clip], sharded: bool) -> None:
    write_tarred(tmp_path / "tarred", clips, sharded=sharded)
    assert len(nemo_tarred_pieces(str(tmp_path / "tarred"))) == (3 if sharded else 1)
    reading = read(tmp_path / "tarred")
    same_speech(reading, clips)
    assert (reading.rejects, reading.counts) == ((), {})
    assert sorted(each.id for each in reading.utterances) == [f"data_{number}" for number in range(6)]
    assert reading.files == {f"{tmp_path}/tarred/audio_{number}.tar" for number in range(3)}
    for each in reading.utterances:
        clip = clips[int(each.id.removeprefix("data_"))]
        samples = read_audio(each.audio, each.offset, each.duration, each.channel, clip.rate)
        np.testing.assert_allclose(samples, clip.samples, atol=2**-15)


def test_several_lines_of_one_member_and_members_that_were_coded_anew(tmp_path: Path, clips: list[Clip]) -> None:
    folder = tmp_path / "tarred"
    write_tarred(folder, clips[:2])
    rows = [
        {"audio_filepath": "data_0.flac", "offset": 0.0, "duration": 1.0, "shard_id": 0},
        {"audio_filepath": "data_0-sub1.flac", "offset": 1.0, "duration": 0.5, "shard_id": 0},
        {"audio_filepath": "data_1.wav", "duration": 1.0},
    ]
    (folder / "sharded_manifests" / "manifest_0.json").write_text(lines(rows))
    first, second, third = read(folder).utterances
    assert [each.id for each in (first, second, third)] == ["data_0-0000000", "data_0-sub1-0001000", "data_1"]
    assert first.audio == second.audio != third.audio
    samples = read_audio(second.audio, second.offset, second.duration, 0, 16000)
    np.testing.assert_allclose(samples, clips[0].samples[16000:24000], atol=2**-15)


def test_what_matches_nothing_is_told(tmp_path: Path, clips: list[Clip]) -> None:
    folder = tmp_path / "tarred"
    rows = write_tarred(folder, clips[:4])
    other = {**rows[0], "audio_filepath": "data_9.flac"}
    (folder / "sharded_manifests" / "manifest_0.json").write_text(lines([rows[0], other]) + "no json\n")
    (folder / "audio_1.tar").unlink()
    reading = read(folder)
    assert [each.id for each in reading.utterances] == ["data_0"]
    assert reading.counts == {"members of tars are in no list": 1}
    reasons = [each.reason.partition(".json ")[2] for each in reading.rejects]
    assert reasons[0].startswith("line 3 is no entry of a tarred NeMo dataset (it is not JSON")
    assert f"line 2 is no entry of a tarred NeMo dataset (0 members of {folder}/audio_0.tar are called" in reasons[1]
    assert [f"(0 tars in {folder} are called audio_1.tar, not one); fix it" in each for each in reasons[2:]] == [
        True
    ] * 2


@pytest.mark.parametrize("sharded", [True, False])
def test_audio_without_a_line_is_counted(tmp_path: Path, clips: list[Clip], sharded: bool) -> None:
    """A member of a tar, and whole tars of which no manifest speaks."""
    folder = tmp_path / "tarred"
    rows = write_tarred(folder, clips, sharded=sharded)
    before = nemo_tarred_pieces(str(folder))
    if sharded:
        (folder / "sharded_manifests" / "manifest_1.json").write_text(lines(rows[2:3]))
        (folder / "sharded_manifests" / "manifest_2.json").unlink()
    else:
        (folder / "tarred_audio_manifest.json").write_text(lines(rows[:3]))
    (folder / "audio_7.tar").write_bytes(b"no tar" * 1000)

    def parts() -> list[Reading]:
        options = ReadOptions(current=str(tmp_path))
        return [READERS["nemo-tarred"].read(piece, options) for piece in pieces_at("nemo-tarred", str(folder))]

    counts = {"members of tars are in no list": 3, "tars are in no list, and can't be read": 1}
    reading = joined(parts())
    assert (len(reading.utterances), reading.rejects, reading.counts) == (3, (), counts)
    assert {file for part in parts() for file in part.files} == {f"{folder}/audio_{number}.tar" for number in (0, 1)}
    assert nemo_tarred_pieces(str(folder))[0] != before[0], "a tar without a manifest is seen when it comes"


def test_a_manifest_in_parts_counts_no_members_and_says_so(tmp_path: Path, clips: list[Clip]) -> None:
    folder = tmp_path / "tarred"
    rows = write_tarred(folder, clips[:4], sharded=False)
    file = folder / "tarred_audio_manifest.json"
    middle = len(lines(rows[:2]))
    parts = [(0, middle), (middle, file.stat().st_size)]
    first, second = (read_nemo_tarred(str(file), part=part) for part in parts)
    assert [len(part.utterances) for part in (first, second)] == [2, 2]
    said = "manifests are read in parts, so that members of tars without a line can't be counted"
    assert (first.counts, second.counts) == ({said: 1}, {})


def test_the_one_manifest_needs_shard_ids_and_the_latest_version_counts(tmp_path: Path, clips: list[Clip]) -> None:
    folder = tmp_path / "tarred"
    rows = write_tarred(folder, clips[:4], sharded=False)
    del rows[3]["shard_id"]
    for version in (2, 10):
        (folder / f"tarred_audio_manifest_version_{version}.json").write_text(lines(rows[: version // 2]))
    reading = read(folder)
    assert [each.id for each in reading.utterances] == ["data_0", "data_1", "data_2"]
    assert "line 4 is no entry of a tarred NeMo dataset (it lacks shard_id)" in reading.rejects[0].reason


def test_folders_by_pattern_and_states(tmp_path: Path, clips: list[Clip]) -> None:
    write_tarred(tmp_path / "bucket1", clips[:2])
    write_tarred(tmp_path / "bucket2", clips[2:], first=2, sharded=False)
    before = nemo_tarred_pieces(f"{tmp_path}/bucket*")
    reading = joined(read_nemo_tarred(piece.uri) for piece in before)
    same_speech(reading, clips)
    assert checked(reading, "unlabeled", Corpus()).rejects == ()
    (tmp_path / "bucket2" / "audio_2.tar").touch()
    after = nemo_tarred_pieces(f"{tmp_path}/bucket*")
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]
    assert nemo_tarred_pieces(str(tmp_path / "absent")) == []


@pytest.mark.parametrize("name", ["v[12]", "v{1,2}"])
def test_a_folder_that_is_there_is_no_pattern(tmp_path: Path, clips: list[Clip], name: str) -> None:
    write_tarred(tmp_path / "v1", clips[:2])
    write_tarred(tmp_path / name, clips[2:4], first=2)
    same_speech(read(tmp_path / name), clips[2:4])


def test_a_shard_id_that_is_no_whole_number_is_rejected(tmp_path: Path, clips: list[Clip]) -> None:
    folder = tmp_path / "tarred"
    rows = write_tarred(folder, clips[:2])
    (folder / "sharded_manifests" / "manifest_0.json").write_text(lines([{**rows[0], "shard_id": 0.5}, rows[1]]))
    reading = read(folder)
    assert [each.id for each in reading.utterances] == ["data_1"]
    assert "(its shard_id is 0.5, not a whole number); fix it" in reading.rejects[0].reason


def test_tars_are_listed_once(tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tarred"
    rows = write_tarred(folder, clips)
    (folder / "sharded_manifests" / "manifest_2.json").write_text(lines([{**rows[4], "shard_id": 1}, rows[5]]))
    listed, real = list[str](), filesystem.sizes_and_times
    monkeypatch.setattr(filesystem, "sizes_and_times", lambda uri: listed.append(uri) or real(uri))
    pieces = pieces_at("nemo-tarred", str(folder))
    assert listed == [str(folder)]
    for number, piece in enumerate(pieces):
        reading = READERS["nemo-tarred"].read(piece, ReadOptions(current=str(tmp_path)))
        assert len(reading.utterances) == (2, 2, 1)[number]
        # A line of the last one names the tar of another.
        assert listed == [str(folder)] * (1 + (number == 2))
    assert "0 members of " in reading.rejects[0].reason
    assert "audio_1.tar are called data_4.flac" in reading.rejects[0].reason
