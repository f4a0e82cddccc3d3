import subprocess
import sys
from pathlib import Path

import pytest

from ssl_asr.serving.exporting import publish as publishing
from ssl_asr.serving.exporting.publish import check_place, publish

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


# Exports to argv[1]/0/bundle[1], argv[1]/1/bundle[1], ..., where the process dies before its first step, its second,
# and so on, until one is not killed.
KILLED = """
import os, sys
from pathlib import Path
from ssl_asr.serving.exporting import publish as publishing
from ssl_asr.serving.exporting.publish import publish

STEPS = {"open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "ctypes.dlopen"}

def killed_at(step, folder):
    left = [step]
    def dies(event, arguments):
        if event in STEPS:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
    sys.addaudithook(dies)
    publish(folder, {"bundle.json": b"new", "words.txt": b"new"})
    os._exit(0)

if sys.argv[2] == "twice":
    publishing._exchanged = lambda one, other: False
for step in range(60):
    folder = Path(sys.argv[1], str(step), "bundle[1]")
    publish(folder, {"bundle.json": b"old", "words.txt": b"old", "more.txt": b"old"})
    child = os.fork()
    if child == 0:
        killed_at(step, folder)
    if os.waitpid(child, 0)[1] == 0:
        sys.exit(step)
"""


@pytest.mark.parametrize("renames", ["once", "twice"])
def test_whenever_it_is_killed_the_old_or_the_new_one_can_be_read(tmp_path, renames):
    steps = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), renames], check=False).returncode
    assert steps > 5
    missing, words = 0, []
    for step in range(steps + 1):
        folder = tmp_path / str(step) / "bundle[1]"
        missing += not folder.exists()
        check_place(folder)  # as the next export does first
        inside = contents(folder)
        words.append(inside["words.txt"])
        assert {*inside.values()} == {words[-1]}
        assert len(inside) == (3 if words[-1] == b"old" else 2)
        publish(folder, FILES)
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert words == sorted(words, reverse=True)  # the old one, then the new one
    assert {*words} == {b"old", b"new"}
    assert missing == (renames == "twice")


def test_linux_exchanges_directories_in_one_step(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
    assert publishing._exchanged(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "name").read_text() == "other"
    assert not publishing._exchanged(tmp_path / "one", tmp_path / "missing")
