"""Audio from pipes: every encoding, headers as other programs write them, and bytes in any pieces."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.serving.streaming.pcm import ENCODINGS, PcmFormat, PcmReader

RATE = 16000
RAW = PcmFormat("s16le", RATE, 1)
TONE = (0.5 * np.sin(np.arange(4001) / 9)).astype(np.float32)


class Dribble:
    """A pipe that gives bytes in pieces of these sizes, again and again."""

    def __init__(self, data: bytes, sizes: tuple[int, ...]) -> None:
        self._data, self._sizes, self._reads = io.BytesIO(data), sizes, 0

    def read1(self, size: int, /) -> bytes:
        self._reads += 1
        return self._data.read(min(size, self._sizes[self._reads % len(self._sizes)]))


def wav(samples: np.ndarray, subtype: str, kind: str = "WAV", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def heard(data: bytes, raw: PcmFormat = RAW, channel: int = 0, rate: int = RATE) -> np.ndarray:
    return np.concatenate(list(PcmReader(io.BytesIO(data), raw).blocks(0.1, rate, channel)))


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize(("encoding", "subtype"), ENCODINGS.items())
def test_wav_of_every_encoding(encoding: str, subtype: str, kind: str) -> None:
    both = np.stack([TONE, -TONE / 2], axis=1)
    data = wav(both, subtype, kind)
    reader = PcmReader(io.BytesIO(data), RAW)
    assert reader.is_wav
    assert reader.format == PcmFormat(encoding, RATE, 2)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    for channel in (0, 1):
        np.testing.assert_array_equal(heard(data, channel=channel), expected[:, channel])


@pytest.mark.parametrize(("encoding", "subtype"), ENCODINGS.items())
def test_raw_samples_of_every_encoding(encoding: str, subtype: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE, format="RAW", subtype=subtype, endian="LITTLE")
    expected, _ = soundfile.read(io.BytesIO(wav(TONE, subtype)), dtype="float32")
    reader = PcmReader(io.BytesIO(file.getvalue()), PcmFormat(encoding, RATE, 1))
    assert not reader.is_wav
    np.testing.assert_array_equal(np.concatenate(list(reader.blocks(0.1, RATE))), expected)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_how_the_bytes_come_changes_nothing(sizes: list[int]) -> None:
    data = wav(np.stack([TONE, TONE], axis=1), "PCM_24")
    blocks = list(PcmReader(Dribble(data, tuple(sizes)), RAW).blocks(0.02, RATE))
    np.testing.assert_array_equal(np.concatenate(blocks), heard(data))
    assert {len(block) for block in blocks[:-1]} == {320}


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF - 36, 0x80000000, 0xFFFFFFFF])
def test_wav_whose_writer_did_not_know_its_length(size: int) -> None:
    data = bytearray(wav(TONE, "PCM_16"))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    np.testing.assert_array_equal(heard(bytes(data)), heard(wav(TONE, "PCM_16")))


def test_chunks_before_and_behind_the_audio_are_not_heard() -> None:
    data = wav(TONE, "PCM_16")
    at = data.index(b"data")
    comment = b"LIST" + struct.pack("<I", 70_001) + b"x" * 70_001 + b"\0"
    np.testing.assert_array_equal(heard(data[:at] + comment + data[at:] + comment), heard(data))


def test_another_rate_is_converted() -> None:
    found = heard(wav(TONE, "PCM_16", rate=44100), rate=8000)
    assert len(found) == pytest.approx(len(TONE) * 8000 / 44100, abs=2)
    assert np.abs(found).max() == pytest.approx(0.5, abs=0.05)


def test_what_is_less_than_a_sample_at_the_end_is_dropped() -> None:
    assert len(heard(b"\1\2" * 100 + b"\1")) == 100


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"fLaC" + bytes(20), "standard input is FLAC; only WAV and raw samples are read there"),
        (bytes(4) + b"ftypM4A " + bytes(8), "standard input is MP4"),
        (b"ID3\4" + bytes(20), "standard input is MP3"),
        (b"RIFF" + bytes(4) + b"AVI LIST", "standard input is RIFF of the kind AVI; only WAV"),
        (b"%PDF-1.7\n" + bytes(90), "standard input is PDF, and no audio; give WAV or raw samples"),
        (b"\x1f\x8b\x08" + bytes(20), "standard input is gzipped, and no audio"),
        (b"%PDF", "standard input is PDF"),
        (wav(TONE, "PCM_16")[:30], "standard input is WAV that ends in its header"),
        (wav(TONE, "PCM_16")[:40], "standard input is WAV without audio"),
        (wav(TONE, "PCM_16")[:21], "standard input is WAV"),
        (wav(TONE, "IMA_ADPCM"), "WAV of a kind that is not read (format 17 with 4 bits); convert it to 16 bits"),
        (wav(TONE, "PCM_16").replace(struct.pack("<I", RATE), bytes(4), 1), "0 Hz"),
        (b"RIFF" + bytes(4) + b"WAVE" + b"data" * 3, "standard input is WAV without audio"),
    ],
)
def test_what_can_not_be_read_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match="standard input") as refused:
        PcmReader(io.BytesIO(data), RAW)
    assert said in str(refused.value)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize(("rate", "first"), [(44100, b"\xff\xfb"), (16000, b"\xff\xf3"), (8000, b"\xff\xe3")])
def test_mp3_without_a_tag_is_refused(rate: int, first: bytes, mode: str) -> None:
    file = io.BytesIO()
    tone = np.tile(TONE, 8)
    soundfile.write(file, tone, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode)
    data = file.getvalue()
    assert data.startswith(first)
    for pipe in (io.BytesIO(data), Dribble(data, (1, 5))):
        with pytest.raises(ValueError, match="standard input is MP3; only WAV and raw samples are read there"):
            PcmReader(pipe, RAW)


@pytest.mark.parametrize("first", [b"\xff\xfb\x90\x64", b"\xff\xf3\x80\xc4", b"\xff\xe3\x18\xc4", b"\xff\xff"])
def test_raw_samples_may_begin_like_a_frame_of_mp3(first: bytes) -> None:
    samples = (3000 * TONE).astype("<i2").tobytes()
    for data in (first, first + samples):
        np.testing.assert_array_equal(heard(data), np.frombuffer(data, "<i2") / np.float32(32768))


def test_bad_samples_and_missing_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinite samples; is it f32le"):
        heard(np.full(100, np.nan, np.float32).tobytes(), PcmFormat("f32le", RATE, 1))
    with pytest.raises(ValueError, match="standard input has no audio"):
        heard(wav(TONE[:0], "PCM_16"))
    with pytest.raises(ValueError, match="has 1 channels from 0 on, and no channel 1"):
        heard(wav(TONE, "PCM_16"), channel=1)
