"""Checkpoints: whole or unseen, the newest two kept, a full disk told in a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ssl_asr.store import filesystem
from ssl_asr.training.checkpoints.folder import Checkpoints, Saver
from ssl_asr.training.checkpoints.snapshot import Snapshot, _bad_blocks, write_snapshot


def part(block: int, rank: int = 0, workers: int = 1, own: bool = False, size: int = 3) -> Snapshot:
    shared = {"strategy.theta": torch.full((size,), float(block))} if rank == 0 else {}
    mine = {"residual": torch.ones(2)} if own else {}
    return Snapshot(block, f"f{block}", shared, {"block": block}, mine, rank, workers)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    assert checkpoints.newest() is None
    for block in range(1, 5):
        checkpoints.write(part(block))
    assert filesystem.list_folders(checkpoints.root) == ["0000003-f3", "0000004-f4"]
    assert checkpoints.newest() == checkpoints.folder(part(4))


def test_checkpoint_is_whole_only_with_every_workers_part(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    for rank in range(3):
        checkpoints.write(part(1, rank, 3, own=True))
    for rank in (0, 2):
        checkpoints.write(part(2, rank, 3, own=True))
    assert checkpoints.newest() == checkpoints.folder(part(1))
    checkpoints.write(part(2, 1, 3, own=True))
    assert checkpoints.newest() == checkpoints.folder(part(2))


def test_parts_without_the_shared_one_are_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    write_snapshot(checkpoints.folder(part(7)), part(7, 1, 2, own=True))
    assert checkpoints.newest() is None


def test_an_older_half_of_a_killed_attempt_is_cleared_away(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    write_snapshot(checkpoints.folder(part(1)), part(1, 1, 2, own=True))
    for block in (2, 3):
        checkpoints.write(part(block))
    assert filesystem.list_folders(checkpoints.root) == ["0000002-f2", "0000003-f3"]


def test_saver_writes_while_the_caller_goes_on_and_tells_of_a_failure_next_time(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    with Saver(checkpoints) as saver:
        saver.save(part(1))
        saver.wait()
        (tmp_path / "c" / "0000002-f2").write_text("a file where a folder must go")
        saver.save(part(2))
        with pytest.raises(ValueError, match=r"checkpoint of block 2 .*0000001-f1 is kept.*same command continues"):
            saver.save(part(3))
        (tmp_path / "c" / "0000002-f2").unlink()
    assert checkpoints.newest() == checkpoints.folder(part(1))


FULL_DISK = """
import resource, signal, sys, torch
sys.path.insert(0, sys.argv[2])
from ssl_asr.training.checkpoints.folder import Checkpoints
from tests.training.checkpoints.test_checkpoints import part
checkpoints = Checkpoints(sys.argv[1])
checkpoints.write(part(1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write past the limit fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
checkpoints.write(part(2, size=100_000))
"""


def test_a_disk_that_takes_no_more_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    """The kernel refuses to let a file grow, in the midst of it."""
    checkpoints = Checkpoints(str(tmp_path / "c"))
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", FULL_DISK, checkpoints.root, root]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=root, check=False)
    assert done.returncode == 1
    assert f"{checkpoints.folder(part(1))} is kept" in done.stderr
    assert checkpoints.newest() == checkpoints.folder(part(1))


def test_blocks_that_are_not_finite_are_counted_on_after_a_restart() -> None:
    good, bad, dev = {"block": 1, "dropped": 0}, {"block": 2, "dropped": 3}, {"block": 2, "dev_loss": 1.0}
    assert [_bad_blocks(curve) for curve in ([], [good], [bad, good], [good, bad, dev, bad, dev])] == [0, 0, 0, 2]
