"""Parquet files as Hugging Face's datasets have them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_asr.corpus import parquet_audio
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.parquet_audio import audio_of_row
from ssl_asr.corpus.readers.containers import container_pieces
from ssl_asr.corpus.readers.parquet import parquet_pieces, read_parquet
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech
from tests.corpus.readers.test_webdataset import sound

AUDIO = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def audio_column(clips: list[Clip], names: str = "{}.flac") -> pa.Array:
    rows = [{"bytes": sound(clip), "path": names.format(number)} for number, clip in enumerate(clips)]
    return pa.array(rows, AUDIO)


def write(file: Path, columns: dict[str, Any], **options: Any) -> Path:
    file.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(pa.table(columns), file, **{"row_group_size": 2, **options})
    return file


def peoples_speech(file: Path, clips: list[Clip], first: int = 0) -> Path:
    ids = [f"talk_SLASH_{number}_DOT_flac" for number in range(first, first + len(clips))]
    columns = {"id": ids, "audio": audio_column(clips), "text": [clip.text for clip in clips]}
    lengths = pa.array([round(len(clip.samples) / 16) for clip in clips], pa.int32())
    return write(file, {**columns, "duration_ms": lengths, "speaker_id": [clip.speaker for clip in clips]})


def reasons(reading: Reading, split: str = "labeled") -> dict[str, str]:
    return {reject.id: reject.reason for reject in checked(reading, split, Corpus()).rejects}


def test_the_columns_of_peoples_speech(tmp_path: Path, clips: list[Clip]) -> None:
    file = peoples_speech(tmp_path / "a.parquet", clips)
    reading = read_parquet(str(file))
    assert (reading.rejects, reading.counts, reading.files) == ((), {}, {str(file)})
    assert reasons(reading) == {}
    assert [(each.text, each.speaker) for each in reading.utterances] == [(clip.text, clip.speaker) for clip in clips]
    assert reading.utterances[5].id == "talk_SLASH_5_DOT_flac"
    assert reading.utterances[5].audio == f"row:{file}:000000005"
    for utterance, clip in zip(reading.utterances, clips, strict=True):
        assert utterance.duration == pytest.approx(len(clip.samples) / clip.rate, abs=1e-3)
        samples = read_audio(utterance.audio, 0.0, math.inf, 0, clip.rate)
        np.testing.assert_allclose(samples, clip.samples, atol=2**-15)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_the_columns_of_librispeech_and_common_voice(tmp_path: Path, clips: list[Clip], compression: str) -> None:
    texts, speakers = [clip.text for clip in clips], [clip.speaker for clip in clips]
    libri = {"file": ["x"] * 6, "audio": audio_column(clips), "text": texts, "speaker_id": pa.array(range(6))}
    libri |= {"chapter_id": pa.array(range(6)), "id": [f"84-1-{number}" for number in range(6)]}
    found = read_parquet(str(write(tmp_path / "l.parquet", libri, compression=compression))).utterances
    assert [(each.id, each.speaker) for each in found] == [(f"84-1-{number}", str(number)) for number in range(6)]
    voice = {"client_id": speakers, "path": ["x"] * 6, "audio": audio_column(clips, "/en_0/{}.mp3")}
    reading = read_parquet(str(write(tmp_path / "c.parquet", {**voice, "sentence": texts}, compression=compression)))
    same_speech(reading, clips)
    assert [each.id for each in reading.utterances] == [f"en_0/{number}" for number in range(6)]


def test_ids_that_are_numbers_are_not_taken_and_rows_have_names_of_their_own(
    tmp_path: Path, clips: list[Clip]
) -> None:
    """As in FLEURS, whose ids count sentences; and bytes without a path."""
    data = pa.array([sound(clip) for clip in clips], pa.binary())
    columns = {"id": pa.array([1, 1, 2, 2, 3, 3]), "audio": data, "transcription": [clip.text for clip in clips]}
    reading = read_parquet(str(write(tmp_path / "train-0.parquet", columns)))
    assert [each.id for each in reading.utterances] == [f"train-0-{number:09d}" for number in range(6)]
    assert [each.speaker for each in reading.utterances] == [each.audio for each in reading.utterances]
    assert reasons(reading) == {}


def test_audio_beside_the_file(tmp_path: Path, clips: list[Clip]) -> None:
    """Row groups without bytes name their files; in a row group with some, each row is looked at."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "0.flac").write_bytes(sound(clips[0]))
    (tmp_path / "1.flac").write_bytes(sound(clips[1]))
    rows = [{"bytes": None, "path": "clips/0.flac"}, {"bytes": None, "path": str(tmp_path / "1.flac")}]
    rows += [{"bytes": sound(clips[2]), "path": None}, {"bytes": None, "path": "clips/0.flac"}]
    file = write(tmp_path / "a.parquet", {"audio": pa.array(rows, AUDIO), "text": ["yes"] * 4})
    reading = read_parquet(str(file))
    assert [each.audio for each in reading.utterances] == [
        f"{tmp_path}/clips/0.flac",
        f"{tmp_path}/1.flac",
        f"row:{file}:000000002",
        f"row:{file}:000000003",
    ]
    lengths = [each.duration for each in checked(reading, "labeled", Corpus()).utterances]
    assert lengths == [len(clips[number].samples) / 16000 for number in (0, 1, 2)]  # the last has the first's id
    assert len(read_audio(reading.utterances[3].audio, 0, math.inf, 0, 16000)) == len(clips[0].samples)
    paths = {"audio": ["clips/0.flac", "1.flac", None], "id": ["a", "b", "c"]}
    reading = read_parquet(str(write(tmp_path / "b.parquet", paths)))
    assert [each.audio for each in reading.utterances] == [f"{tmp_path}/clips/0.flac", f"{tmp_path}/1.flac"]
    assert [(each.id, each.reason.partition("row 2: ")[2]) for each in reading.rejects] == [
        ("row 2", "its audio is null; leave it out")
    ]


def test_rows_without_good_audio_are_rejected_one_by_one(tmp_path: Path, clips: list[Clip]) -> None:
    rows = [
        {"bytes": sound(clips[0]), "path": "good"},
        None,
        {"bytes": None, "path": None},
        {"bytes": b"no audio at all" * 99, "path": "noise"},
        {"bytes": b"", "path": "empty"},
        {"bytes": None, "path": "https://example.org/a.flac"},
        {"bytes": None, "path": "gone.flac"},
    ]
    columns = {"id": ["good", "null", "neither", "noise", "empty", "web", "gone"], "audio": pa.array(rows, AUDIO)}
    columns["duration"] = pa.array([None, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0])
    file = write(tmp_path / "a.parquet", {**columns, "text": ["yes"] * 7}, row_group_size=7)
    reading = read_parquet(str(file))
    found = reasons(reading)
    assert found.pop("row 6") == f"{file} row 6: its duration is -1, which is negative"
    assert {name: reason.replace(str(file), "FILE") for name, reason in found.items()} == {
        "null": "row 1 of FILE has no audio (it is null); leave it out",
        "neither": "row 2 of FILE has no audio (it is null); leave it out",
        "noise": found["noise"].replace(str(file), "FILE"),
        "empty": "row:FILE:000000004: the audio file is empty; fetch or record it again",
        "web": found["web"],
    }
    assert found["noise"].startswith(f"row:{file}:000000003: libsndfile can't read this audio")
    assert found["web"].startswith("https://example.org/a.flac can't be read or written")


def test_what_is_no_such_file_is_refused_with_a_sentence(tmp_path: Path, clips: list[Clip]) -> None:
    good = peoples_speech(tmp_path / "good.parquet", clips).read_bytes()
    file = tmp_path / "a.parquet"
    for data in (b"", b"PAR1", b"<!DOCTYPE html>" * 99, good[:-5], good[: len(good) // 2]):
        file.write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.parquet is not a whole Parquet file \(.*\); fetch it again$"):
            read_parquet(str(file))
    with pytest.raises(ValueError, match=r"b\.parquet: there is no such Parquet file"):
        read_parquet(str(tmp_path / "b.parquet"))
    with pytest.raises(ValueError, match=r"a\.parquet has no column audio, but id, text; rename"):
        read_parquet(str(write(file, {"id": ["a"], "text": ["b"]})))
    with pytest.raises(ValueError, match=r"the column audio holds list<.*>, neither bytes"):
        read_parquet(str(write(file, {"audio": [[0.1, 0.2]]})))


def test_damaged_pages_are_rejects(tmp_path: Path, clips: list[Clip]) -> None:
    file = peoples_speech(tmp_path / "a.parquet", clips)
    about = pq.read_metadata(file).row_group(1)
    place = next(c for c in map(about.column, range(about.num_columns)) if c.path_in_schema == "audio.bytes")
    data = bytearray(file.read_bytes())
    begin = place.dictionary_page_offset or place.data_page_offset
    data[begin : begin + 400] = bytes(400)
    file.write_bytes(data)
    found = reasons(read_parquet(str(file)))
    assert found.keys() == {"talk_SLASH_2_DOT_flac", "talk_SLASH_3_DOT_flac"}
    assert {f"{file} is not a whole Parquet file" in reason for reason in found.values()} == {True}


@pytest.mark.parametrize("step", [1000, 60_000, 1 << 30])
def test_pieces_hold_every_row_once(tmp_path: Path, clips: list[Clip], step: int) -> None:
    file = peoples_speech(tmp_path / "a.parquet", clips)
    whole = read_parquet(str(file))
    pieces = container_pieces(str(tmp_path), ".parquet", step)
    parts = [read_parquet(piece.uri, part=(piece.begin, piece.end)) for piece in pieces]
    assert [each for part in parts for each in part.utterances] == list(whole.utterances)
    assert sum(len(part.utterances) > 0 for part in parts) == {1000: 3, 60_000: 3}.get(step, 1)
    assert sum(piece.listed_bytes for piece in pieces) < file.stat().st_size // 100


def test_rows_count_like_lines_of_a_list_however_small_their_audio_is(tmp_path: Path) -> None:
    """So a million rows without audio are as many buckets as a million lines, and not read by the driver."""
    paths = [{"bytes": None, "path": f"{number}.flac"} for number in range(20_000)]
    write(tmp_path / "paths" / "a.parquet", {"audio": pa.array(paths, AUDIO)}, row_group_size=5_000)
    assert sum(piece.listed_bytes for piece in parquet_pieces(str(tmp_path / "paths"))) > 100 * 20_000
    usual = container_pieces(str(tmp_path / "paths"), ".parquet")
    assert sum(piece.listed_bytes for piece in usual) < 20_000
    long = write(tmp_path / "long" / "a.parquet", {"audio": pa.array([np.random.bytes(1_000_000)])})
    assert sum(piece.listed_bytes for piece in parquet_pieces(str(long))) > 1000
    (tmp_path / "damaged.parquet").write_bytes(bytes(1000))
    assert len(parquet_pieces(str(tmp_path / "damaged.parquet"))) == 1
    assert parquet_pieces(str(tmp_path / "nothing")) == []


def test_rows_are_found_in_any_order_and_in_a_changed_file(tmp_path: Path, clips: list[Clip]) -> None:
    file = peoples_speech(tmp_path / "a.parquet", clips)
    expected = [sound(clip) for clip in clips]
    for row in np.random.default_rng(0).integers(0, 6, 40).tolist():
        assert audio_of_row(str(file), row) == expected[row]
    peoples_speech(file, clips[::-1])
    assert [audio_of_row(str(file), row) for row in range(6)] == expected[::-1]
    with pytest.raises(ValueError, match="has no row 6; run the corpus stage again if it has changed"):
        audio_of_row(str(file), 6)


def test_rows_in_about_their_order_are_decoded_once(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_audio, "_BATCH_BYTES", 1)
    file = tmp_path / "a.parquet"
    write(file, {"audio": audio_column((clips * 17)[:100])}, row_group_size=50)
    started = []
    decoded = parquet_audio._Rows._decoded
    monkeypatch.setattr(
        parquet_audio._Rows, "_decoded", lambda self, group: started.append(group) or decoded(self, group)
    )
    expected = [sound(clip) for clip in clips]
    order = [row + 7 - 2 * (row % 8) if row < 96 else row for row in range(100)]  # each eight backwards
    assert [audio_of_row(str(file), row) for row in order] == [expected[row % 6] for row in order]
    assert started == [0, 1, 0, 1]  # 55 to 50 come before 49
    started.clear()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda row: audio_of_row(str(file), row), range(100)))
    assert found == [expected[row % 6] for row in range(100)]
    assert len(started) < 60  # of 100: how far apart threads are is up to the machine


def test_audio_is_not_read_for_the_list(tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    batches = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda self, *a, **k: asked.append(k["columns"]) or batches(self, *a, **k)
    )
    read_parquet(str(peoples_speech(tmp_path / "a.parquet", clips)))
    assert asked == [["id", "text", "speaker_id", "duration_ms", "audio.path"]] * 3


@pytest.mark.parametrize("name", ["v[12]", "v{1,2}"])
def test_a_folder_that_is_there_is_no_pattern(tmp_path: Path, clips: list[Clip], name: str) -> None:
    peoples_speech(tmp_path / "v1" / "a.parquet", clips[:2])
    file = peoples_speech(tmp_path / name / "x" / "a.parquet", clips[2:4], first=2)
    assert [piece.uri for piece in container_pieces(str(tmp_path / name), ".parquet")] == [str(file)]
    assert container_pieces(f"{tmp_path}/w[12]", ".parquet") == []


def test_a_string_that_is_not_utf_8_is_a_reject(tmp_path: Path, clips: list[Clip]) -> None:
    texts = pa.array([b"one", b"caf\xff", b"three"]).view(pa.string())
    file = write(tmp_path / "a.parquet", {"audio": audio_column(clips[:3]), "text": texts}, row_group_size=3)
    reading = read_parquet(str(file))
    assert [(each.id, each.text) for each in reading.utterances] == [("0", "one"), ("2", "three")]
    assert [(each.id, each.reason) for each in reading.rejects] == [
        ("row 1", f"{file} row 1: a string in it is not UTF-8; write it as UTF-8")
    ]


@pytest.mark.parametrize("name", ["audio", "text", "id"])
def test_two_columns_of_one_name_are_told(tmp_path: Path, clips: list[Clip], name: str) -> None:
    table = pa.table({"audio": audio_column(clips[:2]), "text": ["a", "b"], "id": ["c", "d"]})
    pq.write_table(table.append_column(name, table[name]), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=rf"a\.parquet has 2 columns called {name}; keep or rename one of them"):
        read_parquet(str(tmp_path / "a.parquet"))


def test_a_group_with_fewer_rows_than_it_says_is_told(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = peoples_speech(tmp_path / "a.parquet", clips)
    batches = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda *a, **k: (batch.slice(0, 1) for batch in batches(*a, **k))
    )
    assert audio_of_row(str(file), 0) == sound(clips[0])
    with pytest.raises(ValueError, match=r"a\.parquet has fewer rows than it says, and none of number 1; fetch it"):
        audio_of_row(str(file), 1)
