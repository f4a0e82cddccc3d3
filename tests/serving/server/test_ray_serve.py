"""The server on Ray Serve: a replica is killed under load."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.serving.server.conftest import RATE, engine_finals, vosk_words

PORT = 18713
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def served(spoken) -> Iterator[str]:
    """The address of two replicas."""
    options = [f"--port={PORT}", "--min-replicas=2", "--max-replicas=2", "--clients=8", "--session-seconds=300"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, str(ROOT / "jobs" / "serve.py"), str(spoken.folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert "ready at 127.0.0.1" in process.stdout.readline()
        yield f"ws://127.0.0.1:{PORT}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0
    finally:
        process.kill()
        process.stdout.close()


def connected(address: str) -> ClientConnection:
    """On a busy machine Ray's proxy finds no replica in time and refuses; then a client comes again."""
    deadline = time.monotonic() + 100
    while True:
        try:
            return connect(address, open_timeout=60)
        except (InvalidStatus, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def replicas() -> list[psutil.Process]:
    return [
        each for each in psutil.process_iter(["cmdline"]) if "ServeReplica" in " ".join(each.info["cmdline"] or [])
    ]


class Talker(threading.Thread):
    """A client that says a clip in real time, again and again, until it is told to end."""

    def __init__(self, address, clip) -> None:
        super().__init__(daemon=True)
        self.address, self.clip = address, clip
        self.ends = threading.Event()
        self.said, self.replies, self.code = 0, [], None

    def run(self) -> None:
        with connected(self.address) as client:
            with contextlib.suppress(ConnectionClosed):
                self.talk(client)
            with contextlib.suppress(ConnectionClosed):  # what came before the end
                while True:
                    self.replies.append(json.loads(client.recv(60)))
            self.code = client.close_code

    def talk(self, client) -> None:
        step = RATE // 5
        client.send('{"config": {"sample_rate": 8000}}')
        while not self.ends.is_set():
            begin = self.said % len(self.clip)
            part = self.clip[begin : begin + step]
            client.send(part.tobytes())
            self.said += len(part)
            self.replies.append(json.loads(client.recv(60)))
            time.sleep(0.1)
        client.send('{"eof" : 1}')

    @property
    def words(self) -> list[str]:
        return [word for reply in self.replies for word in reply.get("text", "").split()]


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_killed_replica_ends_its_sessions_with_a_code_and_no_others(spoken, served, clips):
    with connected(served) as client:
        expected = [word.word for final in engine_finals(spoken, clips[0]) for word in final.words]
        assert vosk_words(client, clips[0]) == expected
    talkers = [Talker(served, clips[1]) for _ in range(6)]
    for talker in talkers:
        talker.start()
    deadline = time.monotonic() + 200
    while min(len(talker.replies) for talker in talkers) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    killed = replicas()[0]
    workers = killed.children()
    killed.kill()
    time.sleep(2)
    new = Talker(served, clips[1])
    new.start()
    deadline = time.monotonic() + 100
    while len(new.replies) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for talker in [*talkers, new]:
        talker.ends.set()
    for talker in [*talkers, new]:
        talker.join(60)
    ended = [talker for talker in talkers if "error" in talker.replies[-1]]
    others = [talker for talker in talkers if talker not in ended]
    assert ended
    assert others
    for talker in ended:
        assert talker.replies[-1] == {"error": "the machine of this session has gone; connect again", "code": 1011}
        assert talker.code == 1011
    for talker in [*others, new]:
        heard = np.resize(clips[1], talker.said)
        expected = [word.word for final in engine_finals(spoken, heard) for word in final.words]
        assert (talker.code, talker.words) == (1000, expected), talker.replies[-3:]
    psutil.wait_procs(workers, 20)
    assert not any(worker.is_running() for worker in workers)
    deadline = time.monotonic() + 120
    while len(replicas()) < 2:  # another one takes its place
        assert time.monotonic() < deadline
        time.sleep(0.5)
