from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_asr.corpus import listed_files
from ssl_asr.corpus.listed_files import keep_files
from ssl_asr.corpus.readers import trees
from ssl_asr.corpus.readers.trees import check_name, files_of, tree_of, tree_pieces
from ssl_asr.store import filesystem
from tests.s3_server import S3Server


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(path: object) -> list[str]:
    return sorted(name for name, _ in tree_of(str(path)).files)


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
    (piece,) = tree_pieces("d/x/y")
    assert [*files_of(piece)] == [("c.flac", f"{tmp_path}/d/x/y/c.flac")]


def test_braces_name_folders_and_no_two_files_alike(tmp_path: Path, bucket: str) -> None:
    for name in ("2023/a.wav", "2024/a.wav", "2024/x/b.wav"):
        make(tmp_path, name)
        filesystem.write_bytes(f"{bucket}/{name}", b"RIFF")
    for root in (tmp_path, bucket):
        assert names(f"{root}/{{2023,2024}}") == ["2023/a.wav", "2024/a.wav", "2024/x/b.wav"]
        assert names(f"{root}/20*") == names(f"{root}/202{{3..4}}") == names(f"{root}/{{2023,2024}}")
        assert names(f"{root}/{{2024/x,2023/a.wav}}") == ["2023/a.wav", "2024/x/b.wav"]
        with pytest.raises(ValueError, match=r"1 of its 3 files are not there, the first of them is .*/2025;"):
            names(f"{root}/{{2023..2025}}")
        assert names(f"{root}/202{{3..4}}/*.wav") == ["2023/a.wav", "2024/a.wav"]
        with pytest.raises(ValueError, match=r"1 of its 2 files are not there, the first of them is .*/2025/"):
            names(f"{root}/{{2024,2025}}/*.wav")


def test_names_do_not_depend_on_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.wav")
    pattern = (
        f"/{tmp_path.parts[1][:-1]}[{tmp_path.parts[1][-1]}]/{tmp_path.relative_to(Path(*tmp_path.parts[:2]))}/*"
    )
    for folder in ("/", tmp_path):
        monkeypatch.chdir(folder)
        assert names(pattern) == [str(tmp_path / "a.wav")[1:]]


def test_what_begins_with_a_dot_is_left_out(tmp_path: Path, bucket: str) -> None:
    for name in (".d/a.wav", ".d/._a.wav", ".d/.x/b.wav", ".d/.y.wav", ".d/z/c.wav"):
        make(tmp_path, name)
        filesystem.write_bytes(f"{bucket}/{name}", b"RIFF")
    for root in (tmp_path, bucket):
        assert names(f"{root}/.d") == ["a.wav", "z/c.wav"]
        assert names(f"{root}/.d/**/*.wav") == ["a.wav", "z/c.wav"]
        assert names(f"{root}/.d/._a.wav") == ["._a.wav"]


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
    files = [file for piece in pieces for file in files_of(piece)]
    assert [name for name, _ in files] == [name for name, _ in tree_of(str(tmp_path)).files]
    assert all(file == f"{tmp_path}/{name}" for name, file in files)
    kept = keep_files(str(tmp_path / "run"), "unlabeled", pieces)
    assert kept == pieces
    monkeypatch.setattr(listed_files, "MOST_CARRIED", 2)
    kept = keep_files(str(tmp_path / "run"), "unlabeled", pieces)
    assert [piece.files.names for piece in kept if piece.files] == [(), (), (), ("3/7.wav",)]
    assert [file for piece in kept for file in files_of(piece)] == files
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


def test_pieces_of_a_bucket_are_read_without_listing_it_again(bucket: str, s3: S3Server) -> None:
    for key in ("once/a.wav", "once/x/b.mp3"):
        filesystem.write_bytes(f"{bucket}/{key}", b"RIFF")
    (piece,) = keep_files(f"{bucket}/run", "unlabeled", tree_pieces(f"{bucket}/once"))
    s3.requests.clear()
    assert [name for name, _ in files_of(piece)] == ["a.wav", "x/b.mp3"]
    assert s3.requests == []


def test_names_that_are_not_utf8_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"tr\xe8s.wav")
    make(tmp_path / "d", name, "\n.wav")
    assert names(tmp_path / "d") == ["\n.wav", name]
    monkeypatch.setattr(listed_files, "MOST_CARRIED", 0)
    (piece,) = keep_files(str(tmp_path), "unlabeled", tree_pieces(str(tmp_path / "d")))
    assert [found for found, _ in files_of(piece)] == ["\n.wav", name]
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


def test_a_piece_is_another_where_a_size_or_time_of_a_file_is(tmp_path: Path, bucket: str) -> None:
    make(tmp_path, "a.wav", "x/b.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "elsewhere.wav")

    def state(root: object) -> str:
        (piece,) = tree_pieces(str(root))
        return piece.state

    states = [state(tmp_path)]
    assert state(tmp_path) == states[0]
    (tmp_path / "x" / "b.wav").write_bytes(b"RIFF")
    states.append(state(tmp_path))
    os.utime(tmp_path / "a.wav", (1, 1))
    states.append(state(tmp_path))
    (tmp_path / "elsewhere.wav").touch()
    states.append(state(tmp_path))
    (tmp_path / "x" / "notes.txt").touch()
    assert len({*states}) == 4
    assert state(tmp_path) == states[-1]
    for name in ("a.wav", "b.wav"):
        filesystem.write_bytes(f"{bucket}/d/{name}", b"{}")
    before = state(f"{bucket}/d")
    assert state(f"{bucket}/d") == before
    filesystem.write_bytes(f"{bucket}/d/b.wav", b"[1]")
    assert state(f"{bucket}/d") != before
