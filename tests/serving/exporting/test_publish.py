from pathlib import Path

import pytest

from ssl_asr.serving.exporting import publish as publishing
from ssl_asr.serving.exporting.publish import publish

FILES = {"bundle.json": b"{}", "words.txt": b"<eps> 0\n"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_directory_appears_whole(tmp_path):
    publish(tmp_path / "new" / "bundle", FILES)
    assert contents(tmp_path / "new" / "bundle") == FILES
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["bundle"]


def test_an_older_bundle_is_replaced(tmp_path):
    publish(tmp_path / "bundle", FILES | {"old.txt": b""})
    publish(tmp_path / "bundle", FILES)
    assert contents(tmp_path / "bundle") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, exists):
    if exists:
        publish(tmp_path / "bundle", FILES)

    def full(path: Path, data: bytes) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(publishing, "_write", full)
    with pytest.raises(OSError, match="no space"):
        publish(tmp_path / "bundle", {**FILES, "words.txt": b"other"})
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"] * exists
    assert not exists or contents(tmp_path / "bundle") == FILES


def test_what_a_killed_export_left_is_deleted(tmp_path):
    (tmp_path / "bundle.tmp-0123abcd").mkdir()
    (tmp_path / "bundle.tmp-mine").mkdir()
    publish(tmp_path / "bundle", FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.tmp-mine"]


def test_other_files_are_never_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files and no bundle"):
        publish(tmp_path, FILES)
    with pytest.raises(ValueError, match="is not a directory"):
        publish(tmp_path / "thesis.tex", FILES)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}
