"""Audio files that were cut short, in every format that libsndfile writes; and whole ones, which are let through."""

import io

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import audio_blocks
from ssl_asr.corpus.truncation import truncation

RATE = 16000
# Names of libsndfile: (format, subtype).
CLAIMING = [
    *(("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("CAF", "PCM_16")),
    *(("AIFF", "PCM_16"), ("AU", "ULAW"), ("NIST", "PCM_16"), ("MP3", "MPEG_LAYER_III")),
]
CUT = "its header claims {} bytes and {} are there"


def written(kind: str, subtype: str | None = None, seconds: float = 1.5, **options: str) -> bytes:
    noise = 0.1 * np.random.default_rng(0).standard_normal((int(seconds * RATE), 1))
    stream = io.BytesIO()
    soundfile.write(stream, noise, RATE, format=kind, subtype=subtype, **options)
    return stream.getvalue()


def found(data: bytes, *, gsm: bool = False) -> str | None:
    return truncation(io.BytesIO(data), len(data), gsm=gsm)


@pytest.mark.parametrize(("kind", "subtype"), CLAIMING)
def test_a_header_says_how_much_there_should_be(kind, subtype):
    data = written(kind, subtype)
    assert found(data) is None
    assert found(data + b"TAG" + bytes(125)) is None  # more than was said
    for size in (len(data) - 2, len(data) * 2 // 3, len(data) // 3):
        if kind != "CAF" or size > 4200:  # its samples begin behind 4 KB of room for other things
            assert found(data[:size]) == CUT.format(len(data), size)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_page_of_ogg_is_cut(subtype):
    data = written("OGG", subtype, seconds=5)
    assert found(data) is None
    assert found(data + b"TAG" + bytes(125)) is None
    pages = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    assert len(pages) > 5
    for page in pages[1:]:
        assert found(data[:page]) is None  # a recording whose writer was killed looks like this
        for more in (1, 4, 20, 100):
            assert found(data[: page + more]) == "its last page is not whole"
    assert found(data[:-1]) == "its last page is not whole"


def without_length(mp3: bytes) -> bytes:
    """Without the first frame, which says how many there are."""
    second = mp3.index(mp3[:2], 100)
    assert b"Xing" in mp3[:second] or b"Info" in mp3[:second]
    return mp3[second:]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_frame_of_mp3_is_cut(mode):
    data = without_length(written("MP3", seconds=5, bitrate_mode=mode))
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257)
    for before in (b"", tag):
        assert found(before + data) is None
        assert found(before + data + b"TAG" + bytes(125)) is None
        cuts = [found(before + data[:-cut]) for cut in range(1, 300)]
        assert cuts.count(None) <= 3  # between two frames
        assert set(cuts) <= {None, "its last frame is not whole"}
    assert found(tag[:100]) == "its last frame is not whole"


def test_frames_of_bare_gsm():
    assert found(bytes(33 * 50), gsm=True) is None
    assert found(bytes(33 * 50 - 1), gsm=True) == "its last frame is not whole"


@pytest.mark.parametrize(
    ("kind", "subtype", "size"),
    [
        *(("WAV", "PCM_16", mark) for mark in (0xFFFFFFFF, 0, 0x7FFFF024, 0x80000024)),
        *(("AIFF", "PCM_16", mark) for mark in (0x7F00002E, 0)),
    ],
)
def test_files_from_a_pipe_do_not_know_their_size(kind, subtype, size):
    data = written(kind, subtype)
    assert found(data[:4] + size.to_bytes(4, "little" if kind == "WAV" else "big") + data[8:]) is None


def test_other_files_of_unknown_size():
    au, caf = written("AU", "PCM_16"), written("CAF", "PCM_16")
    assert found(au[:8] + b"\xff" * 4 + au[12:-500]) is None
    at = caf.index(b"data") + 4
    assert found(caf[:at] + b"\xff" * 8 + caf[at + 8 : -500]) is None
    sphere = written("NIST", "PCM_16").replace(b"sample_count -i", b"sample_thing -i")
    assert found(sphere[:-500]) is None
    for data in (b"", b"%PDF-1.7\n" + bytes(3000), b"\xff\xfb", b"\xff" * 5000, b"OggS"):
        found(data)  # is for libsndfile to judge


@pytest.mark.parametrize("part", [0.3, 0.7])
def test_flac_is_refused_wherever_it_is_cut(tmp_path, part):
    """Between two of its frames too: then libsndfile reads it as a shorter file."""
    data = written("FLAC", seconds=3)
    begin, file = int(part * len(data)), tmp_path / "cut.flac"
    frame = data.index(data[data.index(b"\xff\xf8") :][:4], begin)
    for size in (begin, frame, frame + 1):
        file.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"cut\.flac"):
            list(audio_blocks(str(file), RATE))


def test_the_sentence_names_the_file(tmp_path):
    file = tmp_path / "my talk.OPUS"
    file.write_bytes(written("OGG", "OPUS")[:-7])
    with pytest.raises(ValueError, match=r"my talk\.OPUS: the OPUS file is truncated, its last page is not whole; "):
        list(audio_blocks(str(file), RATE))
