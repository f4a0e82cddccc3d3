"""The learning curve as it grows: lines and events are there while training goes on, each block once."""

import time
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from ssl_asr.store import filesystem
from ssl_asr.training.curve import CurveWriter, Record, read_curve
from tests.s3_server import S3Server


def block(number: int) -> Record:
    return {"block": number, "loss": 1.0 / number, "source": "labeled", "gtc_tau": 0.5}


def points(folder: Path) -> list[tuple[int, str]]:
    """(block, name) of all events below; a record is its length, a checksum, the event and a checksum."""
    found = []
    for file in sorted(folder.glob("events*")):
        data = file.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            assert masked_crc32c(data[12 : 12 + size]) == int.from_bytes(data[12 + size : 16 + size], "little")
            event = Event.FromString(data[12 : 12 + size])
            found += [(event.step, value.tag) for value in event.summary.value]
            data = data[16 + size :]
    return found


def test_events_are_there_while_training_goes_on_and_a_restart_leaves_each_block_once(tmp_path: Path) -> None:
    curve = CurveWriter(str(tmp_path), "student")
    curve.restart([])
    curve.add([block(1)])
    curve.add([block(2), block(3)])
    curve.save()
    assert [record["block"] for record in read_curve(str(tmp_path), "student")] == [1, 2, 3]
    folder = tmp_path / "tensorboard" / "student"
    until = time.monotonic() + 20
    while len(points(folder)) < 6 and time.monotonic() < until:
        time.sleep(0.1)
    assert sorted(points(folder)) == [(step, f"train/{name}") for step in (1, 2, 3) for name in ("gtc_tau", "loss")]
    curve.restart([block(1), block(2)])
    curve.save()
    assert [record["block"] for record in read_curve(str(tmp_path), "student")] == [1, 2]
    curve.add([block(3)])
    curve.close()
    assert sorted(step for step, name in points(folder) if name == "train/loss") == [1, 2, 3]


def test_events_of_a_run_in_a_bucket_are_there_at_the_end(s3: S3Server) -> None:
    bucket = s3.create_bucket("curves")
    curve = CurveWriter(f"{bucket}/run", "student")
    curve.restart([])
    curve.add([block(1)])
    curve.close()
    (file,) = filesystem.list_files(f"{bucket}/run/tensorboard/student")
    assert b"train/loss" in filesystem.read_bytes(file)
    assert [record["block"] for record in read_curve(f"{bucket}/run", "student")] == [1]
