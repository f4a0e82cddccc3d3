"""What Ray Train's controller does when workers fail: note it, end the run, and wait until machines are gone."""

import socket
import subprocess
import sys
import time
from typing import Any

import pytest
import ray

from ssl_asr.training.elastic import recovery
from ssl_asr.training.elastic.failure_counter import FailureCounter
from ssl_asr.training.elastic.monitor import start_monitor
from ssl_asr.training.elastic.recovery import Guard, Watch, callbacks, unreachable, wait_until_gone


@pytest.fixture
def monitor(ray_local: None) -> Any:
    return start_monitor()


def test_the_installed_ray_has_the_internals(monitor: Any) -> None:
    assert recovery.INTERNALS
    assert [type(each) for each in callbacks(monitor, FailureCounter())] == [Guard, Watch]


def test_without_the_internals_training_still_has_its_guard() -> None:
    elsewhere = """
import sys
import ray.train
sys.modules["ray.train.v2._internal.execution.callback"] = None
from ssl_asr.training.elastic.failure_counter import FailureCounter
from ssl_asr.training.elastic.recovery import callbacks, release
release(["train-1"])
print([type(each).__name__ for each in callbacks(None, FailureCounter())])
"""
    done = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, text=True, timeout=100)
    assert done.stdout == "['Guard']\n"
    assert "has other internals" in done.stderr


def test_a_failure_is_noted_and_survived(monitor: Any) -> None:
    Guard(monitor, FailureCounter()).after_exception(None, {1: TypeError("a bug")})
    (event,) = ray.get(monitor.take.remote()).events
    assert (event.kind, event.workers, event.detail) == ("failed", 1, "TypeError: a bug")


def test_patience_and_refusals_end_the_run(monitor: Any) -> None:
    guard = Guard(monitor, FailureCounter(limit=2))
    guard.after_exception(None, {0: TypeError("a bug")})
    with pytest.raises(ValueError, match=r"workers failed 2 times .* the last error: TypeError: a bug"):
        guard.after_exception(None, {0: TypeError("a bug")})
    with pytest.raises(ValueError, match=r"^a shard is not whole$"):
        Guard(monitor, FailureCounter()).after_exception(
            None, {0: RuntimeError("gloo"), 1: ValueError("a shard is not whole")}
        )


def test_an_error_in_a_hook_is_harmless(monitor: Any) -> None:
    Watch(monitor).before_controller_execute_resize_decision(object())
    assert ray.get(monitor.take.remote()).events == []


def test_orphans_that_cannot_be_looked_for_are_left(ray_local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(recovery.state, "jobs")
    recovery.remove_orphans()


def test_this_machine_answers_and_a_closed_port_does_not(ray_local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (node,) = [each for each in ray.nodes() if each["Alive"]]
    assert unreachable([node["NodeID"]]) == set()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        silent = {**node, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": bound.getsockname()[1]}
        monkeypatch.setattr(ray, "nodes", lambda: [silent])
        assert unreachable([node["NodeID"], "long gone"]) == {node["NodeID"]}


def test_machines_that_are_gone_are_not_waited_for(ray_local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "GONE_SECONDS", 3600.0)
    wait_until_gone({"long gone"})
    monkeypatch.setattr(recovery, "GONE_SECONDS", 0.3)
    (node,) = [each for each in ray.nodes() if each["Alive"]]
    began = time.monotonic()
    wait_until_gone({node["NodeID"]})
    assert time.monotonic() - began >= 0.3
