"""Segments of long MP3s: read without what lies before them, and the same to the bit as with it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from ssl_asr.corpus import audio_files
from ssl_asr.corpus.audio import SegmentReader, audio_info, read_audio
from ssl_asr.corpus.decoder_input import DecoderInput
from ssl_asr.corpus.paged_file import PagedFile
from tests.corpus.conftest import Clip


@pytest.fixture(scope="module")
def long(clips: list[Clip]) -> np.ndarray:
    """A minute of speech at 16 kHz."""
    return np.concatenate([clip.samples for clip in clips] * 5)[: 60 * 16000]


def _variable(file: Path, long: np.ndarray) -> None:
    soundfile.write(file, long, 16000, bitrate_mode="VARIABLE", compression_level=0.3)


def _constant(file: Path, long: np.ndarray) -> None:
    soundfile.write(file, long, 16000, bitrate_mode="CONSTANT", compression_level=0.5)


def _stereo(file: Path, long: np.ndarray) -> None:
    wide = soxr.resample(long, 16000, 44100)
    soundfile.write(file, np.stack([wide, 0.5 * wide[::-1]], axis=1), 44100, bitrate_mode="VARIABLE")


def _without_length(file: Path, long: np.ndarray) -> None:
    """Its first frame, which holds the length in place of sound, is cut off."""
    _variable(file, long)
    data = file.read_bytes()
    file.write_bytes(data[data.index(data[:2], 2) :])


def _joined(file: Path, long: np.ndarray) -> None:
    """Two files with a tag between them."""
    _variable(file, long[: 25 * 16000])
    first = file.read_bytes()
    _variable(file, long[25 * 16000 :])
    file.write_bytes(first + b"ID3\x04\0\0\0\0\x02\x01" + bytes(257) + file.read_bytes() + b"TAG" + bytes(125))


@pytest.fixture
def looking_through(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on, the decoder reads a file from its beginning."""
    return lambda: monkeypatch.setattr(DecoderInput, "leave_out_before", lambda self, sample: 0)


@pytest.mark.parametrize("write", [_variable, _constant, _stereo, _without_length, _joined])
def test_segments_are_the_same_to_the_bit(
    tmp_path: Path, long: np.ndarray, write: Callable[[Path, np.ndarray], None], looking_through: Callable[[], None]
) -> None:
    file = tmp_path / "talk.mp3"
    write(file, long)
    info = audio_info(str(file))
    rate, seconds, random = info.sample_rate, info.seconds, np.random.default_rng(0)
    segments = [(float(at), float(random.uniform(0.1, 6))) for at in np.sort(random.uniform(0, seconds - 6, 20))]
    # In the order of a list, and at the end, where an encoder's padding must not be heard.
    segments += [(seconds - 1.5, 1.54), (seconds - 0.3, np.inf), segments[7], segments[3]]
    places = [(str(file), *each, info.channels - 1, rate) for each in segments]
    with SegmentReader() as reader:
        neighbours = [reader.read(*place) for place in places]
    alone = [read_audio(*place) for place in places[::3]]
    looking_through()
    wanted = [read_audio(*place) for place in places]
    for found, expected in (*zip(neighbours, wanted, strict=True), *zip(alone, wanted[::3], strict=True)):
        np.testing.assert_array_equal(found, expected)


@pytest.fixture
def read_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of what decoders read."""
    sizes, real = list[int](), PagedFile.readinto

    def readinto(self: PagedFile, buffer: memoryview) -> int:
        sizes.append(len(buffer))
        return real(self, buffer)

    monkeypatch.setattr(PagedFile, "readinto", readinto)
    return sizes


def test_what_lies_before_a_segment_is_not_decoded(tmp_path: Path, long: np.ndarray, read_bytes: list[int]) -> None:
    file = tmp_path / "talk.mp3"
    _constant(file, long)
    with SegmentReader() as reader:
        reader.read(str(file), 20.0, 1.0, 0, 16000)
        read_bytes.clear()
        reader.read(str(file), 50.0, 1.0, 0, 16000)
    assert sum(read_bytes) < 0.15 * file.stat().st_size


def test_the_first_segment_that_is_wrong_spoils_no_other(tmp_path: Path, long: np.ndarray) -> None:
    file = tmp_path / "talk.mp3"
    _constant(file, long)
    with SegmentReader() as reader:
        with pytest.raises(ValueError, match=r"talk\.mp3.* is truncated or its times are wrong"):
            reader.read(str(file), 55.0, 30.0, 0, 16000)
        with pytest.raises(ValueError, match=r"absent\.mp3"):
            reader.read(str(tmp_path / "absent.mp3"), 0.0, 1.0, 0, 16000)
        assert len(reader.read(str(file), 50.0, 1.0, 0, 16000)) == 16000


def test_neighbours_open_their_recording_once(
    tmp_path: Path, long: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, real = list[str](), audio_files.open_place
    monkeypatch.setattr(
        audio_files, "open_place", lambda audio, *, pipes: opened.append(audio) or real(audio, pipes=pipes)
    )
    one, two = f"pipe:cat {tmp_path / 'one.mp3'}", str(tmp_path / "two.mp3")
    _constant(tmp_path / "one.mp3", long)
    _constant(tmp_path / "two.mp3", long)
    with SegmentReader(pipes=True) as reader:
        for audio, offset in [(one, 1.0), (one, 30.0), (two, 2.0), (two, 2.0), (one, 50.0)]:
            assert len(reader.read(audio, offset, 1.0, 0, 8000)) == 8000
    assert opened == [one, two, one]
