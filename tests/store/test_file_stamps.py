"""Sizes and times of many files, on disks and in stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ssl_asr.store import filesystem
from ssl_asr.store.file_stamps import Stamp, stamps_by_folder, stamps_one_by_one
from tests.s3_server import S3Server


@pytest.mark.parametrize("stamps", [stamps_by_folder, stamps_one_by_one])
def test_files_of_a_disk_that_are_there(tmp_path: Path, stamps: Callable[[list[str]], dict[str, Stamp]]) -> None:
    file = tmp_path / "a b.wav"
    file.write_bytes(b"four")
    os.utime(file, ns=(5, 5))
    (tmp_path / "link").symlink_to(file)
    inside = f"{file}/b.wav"  # below a file
    found = stamps([str(file), str(file), str(tmp_path / "link"), file.as_uri(), str(tmp_path), inside, "/gone"])
    assert found == dict.fromkeys([str(file), str(tmp_path / "link"), file.as_uri()], (4, 5))


def test_of_a_store_folders_are_listed_or_files_are_asked_for(s3: S3Server) -> None:
    bucket = s3.create_bucket("stamps")
    files = [f"{bucket}/{name}" for name in ("a/1.wav", "a/2.wav", "b/3.wav")]
    for file in files:
        filesystem.write_bytes(file, b"four")
    s3.requests.clear()
    found = stamps_by_folder([*files, f"{bucket}/a/gone.wav"])
    assert {file: size for file, (size, _) in found.items()} == dict.fromkeys(files, 4)
    assert len([request for request in s3.requests if "list-type=2" in request]) == 2
    assert stamps_one_by_one([*files, f"{bucket}/a/gone.wav"]) == found
    assert stamps_one_by_one(["s3://no-such-bucket-of-ours/1.wav"]) == {}
