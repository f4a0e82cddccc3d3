"""Fetching, against tools that stand in for apt and dpkg."""

import os
from pathlib import Path

import pytest

from ssl_asr.corpus.open_speech import packages

NAME = "drascula"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with an apt that knows one package and a dpkg-deb that unpacks one file; `calls` lists their use."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "apt-cache": "exit 0",
        "apt-get": f'echo "$@" >> {tmp_path}/calls; echo archive > {NAME}_9_all.deb',
        "dpkg-deb": "mkdir -p usr/share/doc/x; echo text > usr/share/doc/x/copyright",
    }
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_another_build_is_used_with_a_warning_and_fetched_once(
    tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = packages.fetch(tmp_path / "cache", [NAME])
    assert (found[NAME] / "usr/share/doc/x/copyright").read_text() == "text\n"
    assert capsys.readouterr().err.count("warning: drascula_9_all.deb is another build") == 1
    packages.fetch(tmp_path / "cache", [NAME])
    assert (tmp_path / "calls").read_text().count("download") == 1
    assert not list(found[NAME].glob("*.deb"))


def test_failures_leave_nothing_behind(tools: Path, tmp_path: Path) -> None:
    (tools / "apt-get").write_text("#!/bin/sh\necho 'E: no network today' >&2\nexit 100\n")
    with pytest.raises(packages.FetchError, match="no network today"):
        packages.fetch(tmp_path / "cache", [NAME])
    (tools / "apt-get").write_text(f"#!/bin/sh\necho archive > {NAME}_9_all.deb\n")
    (tools / "dpkg-deb").write_text("#!/bin/sh\nmkdir half\necho 'dpkg-deb: error: bad archive' >&2\nexit 2\n")
    with pytest.raises(packages.FetchError, match="bad archive"):
        packages.fetch(tmp_path / "cache", [NAME])
    assert os.listdir(tmp_path / "cache" / "packages") == []


def test_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(packages.FetchError, match="apt-get is missing"):
        packages.fetch(tmp_path / "cache", [NAME])


def test_empty_lists_are_fetched_privately(tools: Path, tmp_path: Path) -> None:
    before = set(os.listdir())
    # The system's lists know nothing; private ones do once they were fetched.
    (tools / "apt-cache").write_text(
        f'#!/bin/sh\ncase "$*" in *State*) test -e {tmp_path}/calls;; *) exit 1;; esac\n'
    )
    packages.fetch(tmp_path / "cache", [NAME])
    update, download = (tmp_path / "calls").read_text().splitlines()
    assert update.endswith("update")
    assert download.endswith(f"download {NAME}")
    assert all(f"Dir::State={tmp_path}/cache/apt/state" in line for line in (update, download))
    assert set(os.listdir()) == before, "whatever apt leaves lies in the cache, not where the user stands"


def test_a_package_that_nobody_knows(tools: Path, tmp_path: Path) -> None:
    (tools / "apt-cache").write_text("#!/bin/sh\nexit 100\n")
    with pytest.raises(packages.FetchError, match="finds no package drascula"):
        packages.fetch(tmp_path / "cache", [NAME])


def test_what_a_killed_process_left_is_swept_later(tmp_path: Path) -> None:
    old, young = tmp_path / "x.tmp-old", tmp_path / "x.tmp-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    with packages.new_folder(tmp_path / "x") as folder:
        (folder / "file").touch()
        assert not (tmp_path / "x").exists()
    assert sorted(os.listdir(tmp_path)) == ["x", "x.tmp-young"]
