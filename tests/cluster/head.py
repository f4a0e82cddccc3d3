"""A head started by `ray start --head`, on loopback, with ports and a token of its own; all of it is ended by id."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.processes import Process, descendants, end_all, named

RAY = Path(sys.executable).with_name("ray")


@dataclass(frozen=True)
class Head:
    """`address` is Ray's, `dashboard` a URL; `environment` lets a client in, as it carries the token."""

    address: str
    dashboard: str
    environment: dict[str, str]
    folder: str
    pid: int

    def processes(self) -> set[Process]:
        """All that the head started, and what only names its folder: those that outlived who started them."""
        return {*descendants(self.pid), *named(self.folder)}


@contextmanager
def started_head(
    *options: str, cpus: int = 2, port: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Head]:
    """Yields once the dashboard answers; AssertionError with the head's log where it does not."""
    # Sockets below it have long names, and a socket's path has at most 107 characters.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    port, dashboard = port or free_port(), free_port()
    inside = dict(environment or client_environment())
    command = [
        *(RAY, "start", "--head", "--block", f"--num-cpus={cpus}", "--object-store-memory=200000000"),
        *("--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={folder}"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
        *(f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"),
        *options,
    ]
    log = Path(f"{folder}.log")
    with log.open("w") as lines:
        running = subprocess.Popen(command, env=inside, stdout=lines, stderr=lines, start_new_session=True)
    head = Head(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", inside, folder, running.pid)
    try:
        assert _answers(f"{head.dashboard}/api/version", running), (
            f"the head did not start: {log.read_text()[-2000:]}"
        )
        yield head
    finally:
        _end(head, running)
        log.unlink()


def client_environment() -> dict[str, str]:
    """This process's, without its own Ray, with a new token; nodes are looked for on loopback alone."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "PATH": f"{RAY.parent}:{os.environ['PATH']}",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str, running: subprocess.Popen[bytes], seconds: float = 90) -> bool:
    """Whether the dashboard comes to refuse whoever has no token."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and running.poll() is None:
        if _status(url) in (401, 403):
            return True
        time.sleep(0.2)
    return False


def _status(url: str) -> int | None:
    try:
        return int(urllib.request.urlopen(url, timeout=2).status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return None


def _end(head: Head, running: subprocess.Popen[bytes]) -> None:
    below = head.processes()
    running.kill()
    running.wait()
    assert not end_all(below | head.processes()), "processes outlived SIGKILL"
    shutil.rmtree(head.folder, ignore_errors=True)
