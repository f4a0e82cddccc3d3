"""The monitor: what workers and controller post reaches the driver once, in order, with the time."""

import time
from typing import Any

import pytest
import ray

from ssl_asr.training.elastic.monitor import start_monitor


@pytest.fixture
def monitor(ray_local: None) -> Any:
    return start_monitor()


def block(number: int) -> dict[str, Any]:
    return {"block": number, "loss": 1.0}


def test_news_is_taken_once(monitor: Any) -> None:
    monitor.restart.remote([], 2)
    monitor.post.remote(block(1))
    news = ray.get(monitor.take.remote())
    assert (news.restarted, news.records) == ([], [block(1)])
    news = ray.get(monitor.take.remote())
    assert (news.restarted, news.records, news.events) == (None, [], [])


def test_events_carry_time_workers_and_block(monitor: Any) -> None:
    before = time.time()
    monitor.note.remote("decided", 3)
    monitor.note.remote("started", 3)
    monitor.restart.remote([block(1), block(2)], 3)
    for number in (3, 4):
        monitor.post.remote(block(number))
    events = ray.get(monitor.take.remote()).events
    told = [(event.kind, event.workers, event.block) for event in events]
    assert told == [("decided", 3, 0), ("started", 3, 0), ("restored", 3, 2), ("trained", 3, 3)]
    assert before - 1 <= events[0].at <= events[-1].at <= time.time() + 1


def test_the_furthest_block_is_kept_through_restarts(monitor: Any) -> None:
    monitor.restart.remote([], 2)
    for number in range(1, 6):
        monitor.post.remote(block(number))
    monitor.restart.remote([block(number) for number in range(1, 4)], 2)
    assert ray.get(monitor.furthest.remote()) == 5


def test_workers_that_are_faster_than_the_controller_say_how_many_they_are(monitor: Any) -> None:
    monitor.restart.remote([block(1)], 2)
    monitor.note.remote("started", 2)
    restored, started = ray.get(monitor.take.remote()).events
    assert (restored.kind, restored.workers, started.kind) == ("restored", 2, "started")
