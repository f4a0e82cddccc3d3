"""Atomic whole files: what a reader may see when a writer is killed, and what is cleaned afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_asr.store import filesystem
from ssl_asr.store.listing import list_temporary


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
    (left,) = list_temporary(str(tmp_path))
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


AWKWARD = ("my talk.wav", "a#b.wav", "100%.wav", "what?.wav", "%20.wav", "Ünïcode é.wav", "back\\slash", "tab\t.wav")


@pytest.mark.parametrize("name", [*AWKWARD, "~tilde.wav", "~", "-dash", "[x]*", "new.wav ", "quote\"s'"])
def test_a_local_path_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    places = [str(tmp_path / name), f"file://{tmp_path}/{name.replace('%', '%25')}"]
    places += [name] if name != "~" else []  # which is the home folder
    for place in places:
        filesystem.write_bytes(place, place.encode())
        assert (tmp_path / name).read_bytes() == place.encode()
        assert filesystem.read_bytes(place) == place.encode()
    for root in (str(tmp_path), f"file://{tmp_path}"):
        (found,) = filesystem.list_files(root)
        assert filesystem.read_bytes(found) == place.encode()
        assert filesystem.exists(filesystem.join(root, name))


def test_a_home_folder_is_found_and_a_path_with_slashes_is_no_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert filesystem.absolute("~/x") == str(tmp_path / "x")
    assert filesystem.absolute("/data/s3://x") == "/data/s3:/x"
    assert not filesystem.is_uri("nemo:s3://bucket/list.jsonl")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("https://example.org/a.wav", r"https:// is not known"),
        ("ais://bucket/a b.wav", r"ais:// is not known"),
        ("S3A://bucket/a.wav", r"S3A:// is not known"),
        ("file://host/a.wav", r"three slashes begin the path of a local file"),
        ("file://a.wav", r"three slashes begin the path of a local file"),
        ("s3:///a.wav", r"it names no bucket"),
        ("s3://a bucket/a.wav", r"Cannot parse URI"),
        ("abfss://x/a.wav", r"account name"),
        ("hdfs://x/a.wav", r"Hadoop's libhdfs is not installed"),
    ],
)
def test_a_uri_that_cannot_be_used_is_one_sentence(uri: str, why: str) -> None:
    for use in (filesystem.exists, filesystem.read_bytes, filesystem.list_files, filesystem.delete):
        with pytest.raises(
            ValueError, match=rf"^{uri} can't be read or written \(.*{why}.*name a local path, or file"
        ):
            use(uri)
