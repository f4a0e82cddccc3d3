from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.corpus.audio import audio_blocks, audio_info, channels_of, read_audio
from ssl_asr.corpus.audio_places import file_of


@pytest.mark.parametrize(
    "read",
    [
        audio_info,
        channels_of,
        lambda audio: read_audio(audio, 0.0, 1.0, 0, 16000),
        lambda audio: next(audio_blocks(audio, 16000)),
    ],
)
def test_no_command_is_run_unless_asked_for(tmp_path: Path, read) -> None:
    with pytest.raises(ValueError, match=r"not run.*corpus\.pipes"):
        read(f"pipe:touch {tmp_path / 'run'}")
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_an_audio() -> None:
    assert file_of("a/b.wav") == "a/b.wav"
    assert file_of("s3://bucket/wav.ark:17") == "s3://bucket/wav.ark"
    assert file_of("a:17") == "a:17"
    assert file_of("pipe:cd / && cat wav.ark:17") is None


@pytest.mark.parametrize("coding", ["pcm", "pcm,embedded-shorten-v2.00"])
def test_a_compressed_sphere_file_is_called_so(tmp_path: Path, coding: str) -> None:
    fields = "channel_count -i 1\nsample_count -i 800\nsample_rate -i 8000\nsample_n_bytes -i 2\n"
    coded = f"sample_byte_format -s2 01\nsample_coding -s{len(coding)} {coding}\n"
    head = f"NIST_1A\n   1024\n{fields}{coded}end_head\n"
    file = tmp_path / "x.sph"
    file.write_bytes(head.encode().ljust(1024) + bytes(1600))
    if coding == "pcm":
        assert audio_info(str(file)).seconds == pytest.approx(0.1)
    else:
        with pytest.raises(ValueError, match=r"compressed \(shorten .* sph2pipe"):
            audio_info(str(file))
