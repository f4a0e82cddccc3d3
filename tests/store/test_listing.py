"""Listing numbered files: the same through the operating system as through pyarrow, which lists object stores."""

from __future__ import annotations

from pathlib import Path

import pyarrow.fs as pafs

from ssl_asr.store.listing import (
    delete_temporary,
    list_files,
    list_local,
    list_numbers,
    list_remote,
    list_temporary,
)

NAMES = ["000012.json", "000003.json", "1000000.json"]
OTHERS = ["000004.json.tmp-0a1b2c3d", "000005.parquet", "12.json", "0000006.json", "notes.json", "00000².json"]


def test_disk_and_object_store_are_listed_alike(tmp_path: Path) -> None:
    for size, name in enumerate([*NAMES, *OTHERS]):
        (tmp_path / name).write_bytes(bytes(size))
    disk, remote = list_local(str(tmp_path), ".json"), list_remote(pafs.LocalFileSystem(), str(tmp_path), ".json")
    for listing in (disk, remote):
        assert listing.numbers.tolist() == [3, 12, 1_000_000]
        assert listing.sizes.tolist() == [1, 0, 2]
        assert listing.mtimes.tolist() == [(tmp_path / NAMES[at]).stat().st_mtime_ns for at in (1, 0, 2)]
    assert list_numbers(str(tmp_path), ".json").tolist() == [3, 12, 1_000_000]
    assert list_numbers(f"file://{tmp_path}", ".parquet").tolist() == [5]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert len(list_files(missing, ".json")) == len(list_numbers(missing, ".json")) == 0
    assert len(list_remote(pafs.LocalFileSystem(), missing, ".json")) == 0
    assert list_temporary(missing) == []
    assert delete_temporary(missing) == 0


def test_only_what_killed_writers_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "labeled").mkdir()
    for name in (NAMES[0], OTHERS[0]):
        (tmp_path / "labeled" / name).write_bytes(b"x")
    assert delete_temporary(str(tmp_path)) == 1
    assert [path.name for path in (tmp_path / "labeled").iterdir()] == [NAMES[0]]
