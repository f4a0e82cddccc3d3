"""`ssl-asr serve` on a bundle of recorded speech, as a process of its own, and clients of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ssl_asr.corpus.audio import read_audio
from tests.corpus.conftest import rows_of
from tests.serving.conftest import Spoken

RATE = 8000  # of the demo and so of the bundle
COMMAND = "import sys; from ssl_asr.cli.main import main; sys.exit(main(sys.argv[1:]))"


@dataclass
class Server:
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    sherpa_port: int = 0

    def client(self, path: str = "/", **options) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}{path}", **{"open_timeout": 30, "close_timeout": 5, **options})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def end(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(bundle, *options: str, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """A server at any ports, once it listens."""
    ports = ["--port=0", "--sherpa-port=0"]
    command = [sys.executable, "-c", COMMAND, "serve", str(bundle), *ports, "--workers=1", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    server = Server(process)
    listens = threading.Event()

    def read() -> None:
        for line in process.stderr:
            server.lines.append(line.strip())
            if found := re.search(r"port (\d+): Vosk.s protocol.* port (\d+): sherpa", line):
                server.port, server.sherpa_port = map(int, found.groups())
                listens.set()
        listens.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert listens.wait(200)
        assert server.port, server.lines
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(5)
        process.stderr.close()


@pytest.fixture(scope="session")
def server(spoken: Spoken) -> Iterator[Server]:
    with serving(spoken.folder) as server:
        yield server


@pytest.fixture(scope="session")
def clips(spoken: Spoken) -> list[np.ndarray]:
    """Eight utterances of 1 to 4 s that the network has learned, as 16-bit samples."""
    rows = [row for row in rows_of(spoken.recipe, "labeled") if row.condition == "clean" and 1 < row.duration < 4]
    found = [read_audio(row.audio, row.offset, row.duration, row.channel, RATE) for row in rows[:8]]
    return [np.round(each.clip(-1, 1) * 32767).astype("<i2") for each in found]


@pytest.fixture(scope="session")
def talk(clips: list[np.ndarray]) -> np.ndarray:
    """Four clips one after another, with pauses of 2.2 s that end an utterance: 16-bit samples."""
    pause = (3 * np.random.default_rng(0).standard_normal(int(2.2 * RATE))).astype("<i2")
    return np.concatenate([part for clip in clips[:4] for part in (clip, pause)])


def floats(samples: np.ndarray) -> np.ndarray:
    """Of 16-bit samples; others are as they should be."""
    return samples.astype(np.float32) / np.float32(32768) if samples.dtype.kind == "i" else samples


def engine_finals(spoken: Spoken, samples: np.ndarray):
    """What the engine itself makes of a stream."""
    stream = spoken.engine.stream()
    return [*stream.accept(floats(samples)), *stream.finish()]


def vosk_words(client: ClientConnection, samples: np.ndarray, rate: int = RATE, seconds: float = 0.2) -> list[str]:
    """All words of the finals; every message must have exactly one reply."""
    client.send(json.dumps({"config": {"sample_rate": rate}}))
    words = []
    step = round(seconds * rate)
    for begin in range(0, len(samples), step):
        client.send(samples[begin : begin + step].tobytes())
        words += json.loads(client.recv(120)).get("text", "").split()
    client.send('{"eof" : 1}')
    return words + json.loads(client.recv(120))["text"].split()


def words_of(finals):
    return [word.word for final in finals for word in final.words]


def replies(client):
    """Until the server closes."""
    found = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            found.append(json.loads(client.recv(30)))
    return found


def refused(client):
    """The refusal and the code that closes."""
    with client:
        told = replies(client)
        return told[-1]["error"], client.close_code
