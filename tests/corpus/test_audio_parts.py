"""Audio that lies inside another file is the audio that lies beside it, sample for sample."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus import audio_places
from ssl_asr.corpus.audio import audio_blocks, audio_info, channels_of, read_audio
from ssl_asr.corpus.audio_places import file_of, is_inside, part_of, row_of
from ssl_asr.store import filesystem
from tests.corpus.conftest import Clip
from tests.s3_server import S3Server

FORMATS = ("wav", "flac", "ogg", "mp3", "aiff", "au")


@pytest.fixture(scope="session")
def by_path_and_inside(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> list[tuple[str, str, str]]:
    """A clip of two channels in several formats: each as a file, as a part of one file, and as a row of Parquet."""
    folder = tmp_path_factory.mktemp("parts")
    joined, places = bytearray(os.urandom(777)), []
    for number, ending in enumerate(FORMATS):
        samples = clips[number].samples
        file = folder / f"{number}.{ending}"
        soundfile.write(file, np.stack([samples, samples[::-1]], axis=1), clips[number].rate)
        places.append((str(file), len(joined), file.stat().st_size))
        joined += file.read_bytes() + os.urandom(100 * number)
    whole = folder / "all of them: 1+2.bin"
    whole.write_bytes(joined)
    rows = [{"bytes": Path(file).read_bytes(), "path": None} for file, _, _ in places]
    table = pa.table({"audio": pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()}))})
    in_rows = folder / "all of them: 1+2.parquet"
    pq.write_table(table, in_rows, row_group_size=4)
    return [
        (file, part_of(str(whole), begin, size), row_of(str(in_rows), row))
        for row, (file, begin, size) in enumerate(places)
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, len(FORMATS) - 1),
    st.floats(0, 1.5),
    st.floats(0.05, 0.4),
    st.integers(0, 1),
    st.sampled_from([8000, 16000, 22050]),
    st.booleans(),
)
def test_by_path_and_from_inside(
    by_path_and_inside, number: int, offset: float, duration: float, channel: int, rate: int, in_pages: bool
) -> None:
    file, *inside = by_path_and_inside[number]
    samples = read_audio(file, offset, duration, channel, rate)
    whole = np.concatenate(list(audio_blocks(file, rate, channel=channel, offset=offset)))
    with pytest.MonkeyPatch.context() as patch:
        if in_pages:
            patch.setattr(audio_places, "AT_ONCE_BYTES", 0)
        for audio in inside:
            assert audio_info(audio) == audio_info(file)
            assert channels_of(audio) == 2
            np.testing.assert_array_equal(read_audio(audio, offset, duration, channel, rate), samples)
            blocks = list(audio_blocks(audio, rate, channel=channel, offset=offset))
            np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_a_name_says_where_the_audio_is_and_sorts_by_place() -> None:
    part = part_of("s3://bucket/talks.tar", 1536, 240812)
    assert part == "part:s3://bucket/talks.tar:0000000001536+240812"
    assert file_of(part) == "s3://bucket/talks.tar"
    assert is_inside(part)
    assert file_of("part:/a:1+2.tar:7+8") == "/a:1+2.tar"
    assert file_of(row_of("/a:7.parquet", 17)) == "/a:7.parquet"
    for plain in (
        "/data/talk.wav",
        "/data/part:a.tar:1+2",
        "s3://bucket/a.tar:1+2",
        "part:relative.wav",
        "/data/row:a:1",
    ):
        assert file_of(plain) == plain
        assert not is_inside(plain)
    assert not is_inside("pipe:cat part:/a.tar:1+2")
    parts = [part_of("/a.tar", begin, 1) for begin in (0, 9, 10, 100_000_000_000)]
    assert sorted(parts) == parts


def test_files_whose_names_look_like_a_part_stay_readable(tmp_path: Path, clips: list[Clip]) -> None:
    for name in ("part:a.tar:0000000000512+99", "a.tar:0000000000512+99", "part:", "a.tar#?&=%41:1+1"):
        soundfile.write(tmp_path / name, clips[0].samples, 16000, format="FLAC")
        expected = len(clips[0].samples)
        assert len(read_audio(str(tmp_path / name), 0.0, math.inf, 0, 16000)) == expected
        part = part_of(str(tmp_path / name), 0, (tmp_path / name).stat().st_size)
        assert len(read_audio(part, 0.0, math.inf, 0, 16000)) == expected


@pytest.mark.parametrize("at_once", [0, 1 << 20])
def test_a_part_that_is_not_whole_is_told(
    tmp_path: Path, clips: list[Clip], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_places, "AT_ONCE_BYTES", at_once)
    soundfile.write(tmp_path / "a.wav", clips[0].samples, 16000)
    data = (tmp_path / "a.wav").read_bytes()
    file = tmp_path / "a.tar"
    file.write_bytes(bytes(512) + data[:-1000])
    for begin in (512, 1 << 30):
        with pytest.raises(ValueError, match=f"a.tar:.*: the file ends at byte {file.stat().st_size}, before this"):
            audio_info(part_of(str(file), begin, len(data)))
    with pytest.raises(ValueError, match="the audio file is truncated, its header claims"):
        audio_info(part_of(str(file), 512, len(data) - 1000))
    with pytest.raises(ValueError, match="the audio file is empty"):
        audio_info(part_of(str(file), 512, 0))
    with pytest.raises(ValueError, match="libsndfile can't read this audio"):
        audio_info(part_of(str(file), 0, 512))
    with pytest.raises(ValueError, match=r"gone\.tar.*is missing or unreadable"):
        audio_info(part_of(str(tmp_path / "gone.tar"), 0, 512))


def test_in_a_bucket_a_part_is_one_ranged_read(by_path_and_inside, s3: S3Server) -> None:
    bucket = s3.create_bucket("audio")
    file, part, _ = by_path_and_inside[1]
    place = file_of(part)
    assert place is not None
    filesystem.write_bytes(f"{bucket}/a: 1+2.tar", Path(place).read_bytes())
    begin, _, size = part.rpartition(":")[2].partition("+")
    remote = part_of(f"{bucket}/a: 1+2.tar", int(begin), int(size))
    s3.requests.clear()
    samples = read_audio(remote, 0.5, 1.0, 0, 16000)
    np.testing.assert_array_equal(samples, read_audio(file, 0.5, 1.0, 0, 16000))
    assert [request.split()[0] for request in s3.requests] == ["HEAD", "GET"]
