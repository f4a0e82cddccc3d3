"""Events of a training: kept in the run, told to people, and split into the parts of a recovery."""

from pathlib import Path

import pytest

from ssl_asr.store.training_layout import events_uri
from ssl_asr.training.elastic.events import (
    Event,
    EventLog,
    Recovery,
    going_on,
    read_events,
    recovery_after,
    restarts,
    unreleased,
)

BEGUN = [Event(0.0, "begun", detail="k"), Event(1.0, "decided", 2), Event(4.0, "started", 2)]
FIRST = [*BEGUN, Event(5.0, "restored", 2), Event(6.0, "trained", 2, 1)]
LOST = [
    *FIRST,
    Event(20.5, "failed", 1, detail="OOM"),
    Event(22.0, "decided", 2),
    Event(26.0, "started", 2),
    Event(28.5, "restored", 2, 17),
]


def test_log_is_read_back_and_goes_on_with_the_next_driver(tmp_path: Path) -> None:
    for _ in range(2):
        log = EventLog(str(tmp_path), "student", "k")
        for event in FIRST:
            log.add(event)
        log.save()
    assert read_events(str(tmp_path), "student") == [*FIRST, *FIRST]
    assert EventLog(str(tmp_path), "student", "another").events == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    uri = Path(events_uri(str(tmp_path), "student"))
    uri.parent.mkdir(parents=True)
    uri.write_text('{"at": 1.0, "kind": "vanished"}\n')
    with pytest.raises(ValueError, match=r"events.jsonl is not a list of events .* delete it"):
        read_events(str(tmp_path), "student")


@pytest.mark.parametrize(
    ("since", "workers", "told"),
    [
        ([], 3, "the cluster has changed; 3 workers continue from block 17"),
        ([Event(7.0, "failed", 1, detail="OOM")], 1, "1 worker was lost (OOM); 1 worker continues from block 17"),
        ([Event(7.0, "failed", 2, detail="x")], 2, "2 workers were lost (x); 2 workers continue from block 17"),
        (
            [Event(7.0, "failed", 2, detail="x"), Event(8.0, "failed", 1, detail="y")],
            2,
            "1 worker was lost (y), after 1 failure before; 2 workers continue from block 17",
        ),
        ([Event(7.0, "failed", 0, detail="links broke")], 2, "links broke; 2 workers continue from block 17"),
        ([Event(7.0, "noticed", 1)], 2, "a machine was taken away after notice; 2 workers continue from block 17"),
    ],
)
def test_a_restart_is_one_line(since: list[Event], workers: int, told: str) -> None:
    assert going_on([*FIRST, *since, Event(9.0, "restored", workers, 17)]) == told


def test_a_new_driver_does_not_say_that_the_cluster_has_changed() -> None:
    assert going_on([*FIRST, *BEGUN, Event(9.0, "restored", 2, 17)]) == "2 workers continue from block 17"


def test_recovery_is_split() -> None:
    assert recovery_after(LOST, 20.0) == Recovery(detect=0.5, decide=1.5, start=4.0, load=2.5)
    assert restarts(LOST) == 1
    assert restarts(FIRST) == 0


def test_a_second_attempt_counts_as_deciding() -> None:
    again = [*LOST[:-1], Event(27.0, "failed", 1), Event(27.5, "decided", 1), Event(30.0, "started", 1)]
    recovery = recovery_after([*again, Event(31.0, "restored", 1, 17)], 20.0)
    assert recovery == Recovery(detect=0.5, decide=7.0, start=2.5, load=1.0)
    assert recovery.seconds == 11.0


def test_what_was_not_overcome_has_no_recovery() -> None:
    assert recovery_after(LOST[:-1], 20.0) is None
    assert recovery_after(LOST, 29.0) is None


def test_requests_are_unreleased_where_their_driver_was_killed() -> None:
    first, second, third = (Event(1.0, "requested", detail=f"train-{number}") for number in range(3))
    assert unreleased([first, Event(9.0, "finished"), second, *BEGUN, third]) == ["train-1", "train-2"]
    assert unreleased([first, second, Event(9.0, "stopped")]) == []
