"""Which tars of a folder a manifest speaks of, and which of their members."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.corpus.readers.nemo_tars import Members, Tars
from ssl_asr.corpus.readers.tars import Member


def test_tars_by_number(tmp_path: Path) -> None:
    for name in ("audio_0.tar", "audio_1.tar", "audio__OP_1.tar", "other.tar"):
        (tmp_path / name).touch()
    known = Tars(str(tmp_path), ["audio_0.tar", "audio_7.tar"])
    assert known.beside(0) == {f"{tmp_path}/audio_7.tar"}
    assert known.tar_of(0, {}) == f"{tmp_path}/audio_0.tar"
    with pytest.raises(ValueError, match=r"2 tars in .* are called audio_1\.tar, not one"):
        known.tar_of(0, {"shard_id": 1})
    with pytest.raises(ValueError, match="it lacks shard_id"):
        known.tar_of(None, {})
    assert known.of_manifest(0) == known.of_manifest(None) == {f"{tmp_path}/audio_0.tar"}
    assert known.of_manifest(1) == set(), "nothing says which of the two is meant"
    assert known.beside(0) == {f"{tmp_path}/audio_7.tar"}, "not those that were listed since"


def test_members_that_are_asked_for_are_used() -> None:
    members = Members(
        "/a.tar", tuple(Member(name, place, 1) for place, name in enumerate(("a.flac", "b.wav", "c.wav")))
    )
    assert members.unused == 3
    assert members.audio_of("a-sub2.flac") == members.audio_of("a.flac")
    members.audio_of("b.flac")
    assert members.unused == 1
    with pytest.raises(ValueError, match=r"0 members of /a\.tar are called d\.wav, not one"):
        members.audio_of("d.wav")
