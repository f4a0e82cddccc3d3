from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssl_asr.corpus.folders import split_ending, walk


def found_below(folder: Path) -> list[str]:
    errors: list[OSError] = []
    found = [
        os.path.relpath(os.path.join(place, name), folder)
        for place, names in walk(str(folder), errors.append)
        for name in names
    ]
    assert errors == []
    return found


def test_linked_folders_are_walked_once_and_end(tmp_path: Path) -> None:
    for name in ("tree/a/one.wav", "tree/b/two.wav", "elsewhere/deep/three.wav"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    tree = tmp_path / "tree"
    for link, target in (("c", "elsewhere"), ("d", "elsewhere"), ("b/up", "tree"), ("a/upper", ".")):
        (tree / link).symlink_to(tmp_path / target)
    assert found_below(tree) == ["a/one.wav", "b/two.wav", "c/deep/three.wav"]
    (tmp_path / "link").symlink_to(tree)
    assert found_below(tmp_path / "link") == found_below(tree)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    errors: list[OSError] = []
    assert list(walk(str(tmp_path / "gone"), errors.append)) == []
    assert [error.filename for error in errors] == [str(tmp_path / "gone")]


@pytest.mark.parametrize(
    ("path", "parts"),
    [("a/b.wav", ("a/b", ".wav")), ("B.FLAC", ("B", ".FLAC")), ("talk.1", ("talk.1", "")), ("a.b/c", ("a.b/c", ""))],
)
def test_only_endings_of_audio_are_endings(path: str, parts: tuple[str, str]) -> None:
    assert split_ending(path) == parts
