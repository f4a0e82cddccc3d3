"""What fixtures keep: made once for the same code, and anew for other code."""

from pathlib import Path

import pytest

from tests import kept as module
from tests.kept import VERSIONS, kept


def test_the_same_code_makes_it_once_and_other_code_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def ask(folder: Path) -> bytes:
        def make() -> None:
            made.append(folder)
            (folder / "inside").mkdir(parents=True)
            (folder / "inside" / "file").write_bytes(b"%d" % len(made))

        kept(tmp_path / "place", "name", folder, make)
        return (folder / "inside" / "file").read_bytes()

    assert [ask(tmp_path / "a"), ask(tmp_path / "b")] == [b"1", b"1"]
    assert made == [tmp_path / "a"]
    for version in range(VERSIONS):
        monkeypatch.setattr(module, "_version", lambda version=version: f"other-{version}")
        assert ask(tmp_path / f"c{version}") == b"%d" % (2 + version)
    assert len(list((tmp_path / "place").iterdir())) == VERSIONS


def test_what_could_not_be_made_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        kept(tmp_path / "place", "name", tmp_path / "a", lambda: 1 // 0)
    kept(tmp_path / "place", "name", tmp_path / "b", (tmp_path / "b").mkdir)
    assert (tmp_path / "b").exists()
