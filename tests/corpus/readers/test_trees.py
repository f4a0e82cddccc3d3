from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_asr.corpus.readers import trees
from ssl_asr.corpus.readers.trees import check_name, files_of, tree_files, tree_pieces
from ssl_asr.store import filesystem


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(path: object) -> list[str]:
    return sorted(name for name, _ in tree_files(str(path)))


def test_folders_patterns_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "d", "a.WAV", "notes.txt", "x/b.mp3", "x/y/c.flac", "z/c.flac", "[1]/d.wav")
    assert names(tmp_path / "d") == ["[1]/d.wav", "a.WAV", "x/b.mp3", "x/y/c.flac", "z/c.flac"]
    assert names(f"{tmp_path}/d/") == names(tmp_path / "d")
    assert names(tmp_path / "d" / "[xz]") == ["x/b.mp3", "x/y/c.flac", "z/c.flac"]
    assert names(tmp_path / "d" / "**" / "*.flac") == ["x/y/c.flac", "z/c.flac"]
    assert names(tmp_path / "d" / "**") == names(tmp_path / "d")
    assert names(tmp_path / "d" / "*") == names(tmp_path / "d")
    assert names(tmp_path / "d" / "[1]") == ["d.wav"]  # a folder that is there is no pattern
    assert names(tmp_path / "d" / "notes.txt") == ["notes.txt"]
    assert names(f"file://{tmp_path}/d/x") == ["b.mp3", "y/c.flac"]
    assert names(tmp_path / "d" / "nothing*") == names(tmp_path / "nowhere") == []
    monkeypatch.chdir(tmp_path)
    assert [*tree_files("d/x/y")] == [("c.flac", f"{tmp_path}/d/x/y/c.flac")]


def test_links_are_followed_once(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", "a.wav")
    (tmp_path / "d").mkdir()
    for name in ("one", "two"):
        (tmp_path / "d" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "gone.wav").symlink_to(tmp_path / "gone.wav")
    assert names(tmp_path / "d") == ["gone.wav", "one/a.wav"]
    assert names(tmp_path / "d" / "gone.wav") == ["gone.wav"]


def test_pieces_have_every_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "FILES", 3)
    make(tmp_path, *(f"{number % 4}/{number}.wav" for number in range(10)), "0/a.txt")
    pieces = tree_pieces(str(tmp_path))
    assert [piece.end - piece.begin for piece in pieces] == [600, 600, 600, 200]
    assert len({piece.name for piece in pieces}) == len({piece.state for piece in pieces}) == 4
    assert [file for piece in pieces for file in files_of(piece)] == [*tree_files(str(tmp_path))]
    assert tree_pieces(str(tmp_path)) == pieces
    assert tree_pieces(str(tmp_path / "5")) == []
    make(tmp_path, "3/99.wav")
    changed = tree_pieces(str(tmp_path))
    assert changed[:3] == pieces[:3]
    assert changed[3] != pieces[3]


def test_stores(bucket: str) -> None:
    for key in ("d/a.wav", "d/notes.txt", "d/x/b.mp3", "d/x/y/c.flac", "dd/e.wav"):
        filesystem.write_bytes(f"{bucket}/{key}", b"RIFF")
    assert names(f"{bucket}/d") == names(f"{bucket}/d/") == ["a.wav", "x/b.mp3", "x/y/c.flac"]
    assert names(f"{bucket}/d/**/*.flac") == ["x/y/c.flac"]
    assert names(f"{bucket}/d*/*.wav") == ["d/a.wav", "dd/e.wav"]
    assert names(f"{bucket}/d/x/b.mp3") == ["b.mp3"]
    assert names(f"{bucket}/nothing") == names(f"{bucket}/nothing*") == []
    (piece,) = tree_pieces(f"{bucket}/d")
    assert [uri for _, uri in files_of(piece)] == [
        f"{bucket}/d/{name}" for name in ("a.wav", "x/b.mp3", "x/y/c.flac")
    ]


def test_names_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    name = os.fsdecode(b"tr\xe8s.wav")
    make(tmp_path, name)
    assert names(tmp_path) == [name]
    assert len(tree_pieces(str(tmp_path))) == 1
    with pytest.raises(ValueError, match=r"tr\\udce8s\.wav': this name is not UTF-8; rename the file"):
        check_name(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a/b.wav")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(ValueError, match=r"a can't be read .*; change its permissions"):
            names(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o700)
