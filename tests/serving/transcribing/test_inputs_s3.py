"""Audio in a bucket: what is named, and that long files are read in few requests."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import audio_blocks
from ssl_asr.serving.transcribing.inputs import AudioInput, audio_inputs
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from tests.s3_server import S3Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """With two minutes of noise, twice, and a text."""
    server.use(monkeypatch)
    uri = server.create_bucket("speech")
    noise = 0.1 * np.random.default_rng(0).standard_normal(120 * 8000)
    soundfile.write(tmp_path / "a.wav", noise, 8000)
    for name in ("calls/a.wav", "calls/day1/b.wav"):
        filesystem.write_bytes(f"{uri}/{name}", (tmp_path / "a.wav").read_bytes())
    filesystem.write_bytes(f"{uri}/calls/notes.txt", b"notes")
    return uri


def test_buckets_folders_and_patterns(bucket: str, server: S3Server) -> None:
    found = list(
        audio_inputs([f"{bucket}/calls/", f"{bucket}/calls/*.wav", f"{bucket}/calls/a.wav", f"{bucket}/none"])
    )
    names = [each.name for each in found if isinstance(each, AudioInput)]
    assert names == ["a", "day1/b", "a", "a"]
    assert isinstance(found[-1], Reject)
    assert "correct the URI" in found[-1].reason
    filesystem.write_bytes(f"{bucket}/calls/._a.wav", b"by macOS")
    for words, wanted in {
        f"{bucket}/calls": ["a", "day1/b"],
        f"{bucket}/calls/**/*.wav": ["a", "b"],
        f"{bucket}/calls/**": ["a", "b", "notes.txt"],
        f"{bucket}/{{calls,nothing}}/**/*.wav": None,
        f"{bucket}/calls/{{a.wav,day1}}": ["a", "b"],
        f"{bucket}/c*": ["a", "day1/b"],
        f"{bucket}/calls/._a.wav": ["._a"],
    }.items():
        found = list(audio_inputs([words]))
        if wanted is None:
            (reject,) = found
            assert isinstance(reject, Reject)
            assert "1 of its 2 files are not there" in reject.reason
        else:
            assert [each.name for each in found if isinstance(each, AudioInput)] == wanted
    assert [each.reason for each in audio_inputs([f"{bucket}/nothing*"]) if isinstance(each, Reject)] == [
        "no file has such a name; correct the pattern"
    ]
    server.requests.clear()
    samples = sum(len(block) for block in audio_blocks(f"{bucket}/calls/a.wav", 8000))
    assert samples == 120 * 8000
    assert len(server.requests) <= 15  # of 256 kB for 1.9 MB, and what a file begins with
    (missing,) = audio_inputs(["s3://no-such-bucket/a/*.wav"])
    assert isinstance(missing, Reject)
