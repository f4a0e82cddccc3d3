"""Accounts of slabs: written a block at a time, dropped with the blocks that are lost, refused where damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_asr.store.training_layout import account_uri, schedule_uri
from ssl_asr.training.checkpoints.accounting import (
    Assignment,
    BlockAccount,
    accounted_keys,
    drop_after,
    read_accounts,
    read_schedule,
    write_account,
    write_schedule,
)
from ssl_asr.training.phases import student_schedule
from tests.training.walked import LABELED, UNLABELED, student_of

SIZES = {"labeled": len(LABELED), "unlabeled": len(UNLABELED)}
PLACE = ("student", "0a1b2c")


def account(block: int) -> BlockAccount:
    assignments = (
        Assignment(0, (4, 6), ("unlabeled/000001:0", "unlabeled/000000:3"), 1234),
        Assignment(1, (5,), ("x:1",), 7),
    )
    return BlockAccount(block, 2, "unlabeled", 4, 3, (*assignments, Assignment(2, (), (), 0)))


def test_what_is_written_is_read_in_order_of_blocks(tmp_path: Path) -> None:
    for block in (11, 2, 1, 10):
        write_account(str(tmp_path), *PLACE, account(block))
    assert list(read_accounts(str(tmp_path), *PLACE)) == [account(block) for block in (1, 2, 10, 11)]
    assert list(read_accounts(str(tmp_path), "teacher", PLACE[1])) == []
    assert (tmp_path / "training/student/slabs/0a1b2c/0000010.json").exists()


@pytest.mark.parametrize(
    ("block", "left"), [(0, []), (1, [1]), (9, [1, 2, 9]), (10, [1, 2, 9, 10]), (99, [1, 2, 9, 10])]
)
def test_a_restart_drops_the_blocks_that_its_checkpoint_does_not_know(
    tmp_path: Path, block: int, left: list[int]
) -> None:
    for each in (1, 2, 9, 10):
        write_account(str(tmp_path), *PLACE, account(each))
        write_account(str(tmp_path), "teacher", "0a1b2c", account(each))
    drop_after(str(tmp_path), *PLACE, block)
    assert [each.block for each in read_accounts(str(tmp_path), *PLACE)] == left
    assert len(list(read_accounts(str(tmp_path), "teacher", "0a1b2c"))) == 4


def test_schedule_comes_back_whole_and_another_one_is_refused_once_blocks_were_trained(tmp_path: Path) -> None:
    run, phases = str(tmp_path), student_schedule(student_of("blocks"), LABELED, UNLABELED)
    write_schedule(run, *PLACE, phases[:-1], SIZES)
    write_schedule(run, *PLACE, phases, SIZES)
    write_account(run, *PLACE, account(1))
    write_schedule(run, *PLACE, phases, SIZES)
    kept = read_schedule(run, *PLACE)
    assert (kept.phases, kept.sizes) == (tuple(phases), SIZES)
    with pytest.raises(ValueError, match=r"schedule-0a1b2c.json does not match.*schedule; delete .*student$"):
        write_schedule(run, *PLACE, phases[:-1], SIZES)
    assert accounted_keys(run, "student") == ["0a1b2c"]
    assert accounted_keys(run, "baseline") == []


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "bytes": lambda data: b"\xff\xfe" + data,
    "list": lambda data: b"[]",
    "key gone": lambda data: data.replace(b'"count"', b'"c0unt"'),
    "negative": lambda data: data.replace(b"[4,6]", b"[-4,6]"),
    "huge": lambda data: data.replace(b"[4,6]", b"[4,%d]" % 10**30),
    "not a number": lambda data: data.replace(b"[4,6]", b'["four",6]'),
    "other source": lambda data: data.replace(b'"source":"unlabeled"', b'"source":"dev"'),
    "slab gone": lambda data: data.replace(b',"unlabeled/000000:3"', b""),
    "other block": lambda data: data.replace(b'"block":3', b'"block":4'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_account_is_one_sentence_that_names_file_and_mend(tmp_path: Path, damage: str) -> None:
    write_account(str(tmp_path), *PLACE, account(3))
    file = Path(account_uri(str(tmp_path), *PLACE, 3))
    damaged = DAMAGES[damage](file.read_bytes())
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    with pytest.raises(ValueError, match="is not a whole account of a block") as told:
        list(read_accounts(str(tmp_path), *PLACE))
    sentence = str(told.value)
    assert sentence.startswith(f"{file} ")
    assert "\n" not in sentence
    run = str(tmp_path)
    cure = (
        f"delete {run}/models/student.safetensors and {run}/training/student, then run `ssl-asr student {run}` again"
    )
    assert sentence.endswith(f"; {cure}")


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept["phases"][0].update(count=0),
        lambda kept: kept["phases"][0].update(first=-1),
        lambda kept: kept["phases"][0].update(count=2**60),
        lambda kept: kept["sizes"].pop("labeled"),
        lambda kept: kept["sizes"].update(labeled=0),
        lambda kept: kept.update(key="another"),
        lambda kept: kept["phases"][0].update(source="dev"),
        lambda kept: kept.pop("phases"),
    ],
)
def test_damaged_schedule_is_one_sentence(tmp_path: Path, change) -> None:
    write_schedule(str(tmp_path), *PLACE, student_schedule(student_of("blocks"), LABELED, UNLABELED), SIZES)
    file = Path(schedule_uri(str(tmp_path), *PLACE))
    kept = json.loads(file.read_bytes())
    change(kept)
    file.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match=r"schedule-0a1b2c.json is not a whole schedule \(.*then run"):
        read_schedule(str(tmp_path), *PLACE)


WRITER = """
import sys
from tests.training.checkpoints.test_accounting import PLACE, account
from ssl_asr.training.checkpoints.accounting import write_account
for block in range(1, 100_000):
    write_account(sys.argv[1], *PLACE, account(block))
"""


def test_a_writer_killed_at_any_moment_leaves_whole_accounts(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=Path(__file__).parents[3])
    folder = tmp_path / "training/student/slabs/0a1b2c"
    while len(list(folder.glob("*.json"))) < 20:
        assert writer.poll() is None
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    blocks = [each.block for each in read_accounts(str(tmp_path), *PLACE)]
    assert blocks == list(range(1, len(blocks) + 1))
