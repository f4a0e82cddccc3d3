"""Reading ahead: in order, so far and no farther, and errors where they belong."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from ssl_asr.store.reading_ahead import read_ahead


def test_results_come_in_order_whatever_the_depth() -> None:
    for depth in (0, 1, 7):
        assert list(read_ahead((partial(int, n) for n in range(5)), depth)) == list(range(5))


def test_the_next_is_read_while_the_last_is_in_use_and_no_more_than_that() -> None:
    began = [threading.Event() for _ in range(5)]
    results = read_ahead((event.set for event in began), depth=2)
    next(results)
    assert began[1].wait(5)
    assert began[2].wait(5)
    assert not began[3].is_set()
    results.close()


def test_several_are_read_at_a_time() -> None:
    meeting = threading.Barrier(3)
    results = read_ahead((partial(meeting.wait, 5) for _ in range(3)), depth=2, threads=3)
    assert sorted(results) == [0, 1, 2]


def test_whoever_wants_no_more_does_not_wait_for_what_is_read() -> None:
    go_on = threading.Event()
    results = read_ahead([partial(int, "1"), partial(go_on.wait, 60), partial(int, "3")], depth=2)
    assert next(results) == 1
    results.close()
    go_on.set()


def test_what_a_read_raises_reaches_the_one_who_asks_for_it() -> None:
    results = read_ahead([partial(int, "1"), partial(int, "x"), partial(int, "3")])
    assert next(results) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)
