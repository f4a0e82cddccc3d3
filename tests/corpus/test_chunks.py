"""Files whose samples are whole and whose header is wrong or knows no length, and files that are cut."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import audio_blocks, audio_info, read_audio

RATE, SAMPLES = 16000, 24001
LIST = b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf58.29.100\0"


def _file(place: Path, kind: str, change) -> tuple[str, np.ndarray]:
    """A file of noise whose bytes were changed, and its samples."""
    noise = np.random.default_rng(0).integers(-3000, 3000, SAMPLES) / 32768
    form = {"format": "WAV", "endian": "BIG"} if kind == "RIFX" else {"format": kind}
    soundfile.write(place, noise, RATE, subtype="PCM_16", **form)
    place.write_bytes(change(place.read_bytes()))
    return str(place), noise.astype(np.float32)


def _put(at: int | bytes, number: int, form: str = "<I"):
    """The change that writes `number` at a place, or four bytes behind a name."""

    def change(data: bytes) -> bytes:
        place = at if isinstance(at, int) else data.index(at) + 4
        return data[:place] + struct.pack(form, number) + data[place + struct.calcsize(form) :]

    return change


def _both(*changes):
    def change(data: bytes) -> bytes:
        for each in changes:
            data = each(data)
        return data

    return change


def _assert_whole(file: str, samples: np.ndarray) -> None:
    assert audio_info(file).seconds == SAMPLES / RATE
    np.testing.assert_array_equal(read_audio(file, 0.0, SAMPLES / RATE, 0, RATE), samples)
    np.testing.assert_array_equal(read_audio(file, 1.0, 0.25, 0, RATE), samples[16000:20000])
    np.testing.assert_array_equal(np.concatenate(list(audio_blocks(file, RATE, block_frames=5000))), samples)


WAV_SIZE = 44 + 2 * SAMPLES
WHOLE_WAV = {
    "riff: the whole file's size": _put(4, WAV_SIZE),
    "riff: too large": _put(4, WAV_SIZE + 36),
    "riff: wrapped around": _put(4, 0xFFFF0000),
    "riff 0": _put(4, 0),
    "sox": _both(_put(4, 0x7FFFF024), _put(40, 0x7FFFF000)),
    "ffmpeg": _both(_put(4, 0xFFFFFFFF), _put(40, 0xFFFFFFFF)),
    "arecord": _both(_put(4, 0x80000024), _put(40, 0x80000000)),
    "data unknown": _put(40, 0xFFFFFFFF),
    "riff and data 0": _both(_put(4, 0), _put(40, 0)),
    "data 0": _put(40, 0),
    "another chunk behind": lambda data: data + LIST,
    "padding behind": lambda data: data + bytes(1000),
    "a chunk before, data 0": lambda data: data[:36] + LIST * 100 + _put(4, 0)(data[36:]),
}


@pytest.mark.parametrize("change", WHOLE_WAV.values(), ids=WHOLE_WAV)
def test_whole_samples_are_read_whatever_the_header_says(tmp_path, change):
    _assert_whole(*_file(tmp_path / "a.wav", "WAV", change))


OTHERS = {
    "RIFX": ("RIFX", _both(_put(4, 0, ">I"), _put(b"data", 0xFFFFFFFF, ">I"))),
    "RIFX, 0": ("RIFX", _put(b"data", 0, ">I")),
    "W64 of ffmpeg": ("W64", _both(_put(16, (1 << 64) - 1, "<Q"), _put(96, (1 << 63) - 1, "<Q"))),
    "W64 of others": ("W64", _put(96, (1 << 64) - 1, "<Q")),
    "RF64, ds64 never written": ("RF64", _both(_put(20, 0, "<Q"), _put(28, 0, "<Q"), _put(36, 0, "<Q"))),
    "RF64 unknown": ("RF64", _put(28, (1 << 64) - 1, "<Q")),
    "AIFF, wrong size of the whole": ("AIFF", _put(4, 1 << 20, ">I")),
    "AIFF of sox": ("AIFF", _both(_put(4, 0x7F00002E, ">I"), _put(b"SSND", 0x7F000008, ">I"))),
    "AIFF, 0": ("AIFF", _both(_put(4, 0, ">I"), _put(b"SSND", 0, ">I"))),
    "AIFF, no samples yet": ("AIFF", _put(b"SSND", 8, ">I")),
    "AU unknown": ("AU", _put(8, 0xFFFFFFFF, ">I")),
    "AU, 0": ("AU", _put(8, 0, ">I")),
    "FLAC": ("FLAC", lambda data: data[:21] + bytes([data[21] & 0xF0]) + bytes(20) + data[42:]),
}


@pytest.mark.parametrize(("kind", "change"), OTHERS.values(), ids=OTHERS)
def test_other_files_without_length(tmp_path, kind, change):
    _assert_whole(*_file(tmp_path / f"a.{kind}", kind, change))


def test_a_chunk_of_an_odd_length_before_the_samples(tmp_path):
    odd = b"note\x03\0\0\0abc\0"
    file, samples = _file(tmp_path / "a.wav", "WAV", lambda data: data[:36] + odd + data[36:])
    _assert_whole(file, samples)


CUT_WAV = {
    "header of the whole": lambda data: data,
    "riff mended": _put(4, WAV_SIZE // 2 - 8),
    "riff unknown": _put(4, 0xFFFFFFFF),
    "a chunk before": lambda data: data[:36] + LIST * 100 + data[36:],
}


@pytest.mark.parametrize("change", CUT_WAV.values(), ids=CUT_WAV)
def test_a_chunk_of_samples_longer_than_the_file_is_refused(tmp_path, change):
    file, _ = _file(tmp_path / "a.wav", "WAV", lambda data: change(data)[: len(change(data)) - WAV_SIZE // 2])
    for read in (audio_info, lambda uri: list(audio_blocks(uri, RATE))):
        with pytest.raises(ValueError, match=r"a\.wav: the WAV file is truncated, its header claims "):
            read(file)


@pytest.mark.parametrize("behind", [b"", LIST])
def test_no_samples_are_no_samples(tmp_path, behind):
    file, _ = _file(tmp_path / "a.wav", "WAV", lambda data: _put(40, 0)(data)[:44] + behind)
    assert audio_info(file).seconds == 0


def test_a_flac_file_of_unknown_length_is_never_taken_for_endless(tmp_path):
    _, flac = OTHERS["FLAC"]
    file, samples = _file(tmp_path / "a.flac", "FLAC", flac)
    with pytest.raises(ValueError, match=r"only 1\.50 s are there"):
        read_audio(file, 0.0, 1e12, 0, RATE)
    assert len(read_audio(file, 0.0, float("inf"), 0, RATE)) == len(samples)
