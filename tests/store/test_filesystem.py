"""Atomic whole files: what a reader may see when a writer is killed, and what is cleaned afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_asr.store import filesystem


def test_bytes_come_back_by_path_and_by_uri(tmp_path: Path) -> None:
    filesystem.write_bytes(str(tmp_path / "deep" / "er" / "file"), b"abc")
    assert filesystem.read_bytes(f"file://{tmp_path}/deep/er/file") == b"abc"


def test_a_writer_killed_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = str(tmp_path / "file")
    filesystem.write_bytes(uri, b"old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        filesystem.write_bytes(uri, b"new")
    assert filesystem.read_bytes(uri) == b"old"
    assert filesystem.list_files(str(tmp_path)) == [uri]
    (left,) = filesystem.list_temporary(str(tmp_path))
    assert left.startswith(f"{uri}.tmp-")
    filesystem.delete(left)
    assert os.listdir(tmp_path) == ["file"]


def test_listing_is_sorted_recursive_and_by_suffix(tmp_path: Path) -> None:
    for name in ("b/2.json", "a.json", "b/1.json", "b/1.parquet"):
        filesystem.write_bytes(str(tmp_path / name), b"")
    found = filesystem.list_files(str(tmp_path), ".json")
    assert found == [str(tmp_path / name) for name in ("a.json", "b/1.json", "b/2.json")]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert filesystem.list_files(str(tmp_path / "none")) == []
    assert filesystem.list_temporary(str(tmp_path / "none")) == []
    assert filesystem.list_folders(str(tmp_path / "none")) == []
    filesystem.delete(str(tmp_path / "none"))


def test_a_missing_file_is_one_sentence_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing cannot be read"):
        filesystem.read_bytes(str(tmp_path / "nothing"))


def test_delete_takes_files_and_trees(tmp_path: Path) -> None:
    filesystem.write_bytes(str(tmp_path / "tree" / "file"), b"x")
    filesystem.write_bytes(str(tmp_path / "file"), b"x")
    filesystem.delete(str(tmp_path / "tree"))
    filesystem.delete(str(tmp_path / "file"))
    assert os.listdir(tmp_path) == []


def test_relative_paths_are_made_absolute_and_uris_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert filesystem.absolute("runs/x") == str(tmp_path / "runs" / "x")
    assert filesystem.absolute("s3://bucket/run") == "s3://bucket/run"
