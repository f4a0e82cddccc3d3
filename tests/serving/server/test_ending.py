"""How a server and its workers end: by signals, and killed; what their sessions are told."""

import io
import json
import os
import signal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed

from tests.serving.server.conftest import RATE, engine_finals, refused, serving, vosk_words, words_of


def test_a_worker_that_dies_ends_its_sessions_with_a_sentence_and_no_others(spoken, clips):
    with serving(spoken.folder, "--workers=2") as server:
        first, second = server.client(), server.client()
        for client in (first, second):
            client.send(b"")
            client.recv(10)
        workers = sorted(psutil.Process(server.process.pid).children(), key=lambda each: each.pid)
        os.kill(workers[0].pid, signal.SIGKILL)
        ended = 0
        expected = words_of(engine_finals(spoken, clips[0]))
        for client in (first, second):
            client.send(clips[0].tobytes())
            reply = json.loads(client.recv(10))
            if "error" in reply:
                ended += 1
                assert reply == {"error": "the recogniser of this session has gone; connect again", "code": 1011}
                with pytest.raises(ConnectionClosed):
                    client.recv(5)
            else:
                client.send('{"eof" : 1}')
                assert json.loads(client.recv(10))["text"].split() == expected
        assert ended == 1
        with server.client() as client:
            assert vosk_words(client, clips[0]) == expected
        deadline = time.monotonic() + 30
        while not any("another one is started" in line for line in server.lines) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "a worker process has ended with -9; another one is started" in server.lines[-1]


def test_sigterm_lets_sessions_end_and_ends_those_that_do_not(spoken, clips):
    with serving(spoken.folder, "--drain-seconds=3") as server:
        ending, endless = server.client(), server.client()
        for client in (ending, endless):
            client.send(clips[0][:15000].tobytes())
            client.recv(10)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(server.url("/healthz"))
        assert refused(server.client()) == ("the server is shutting down; connect again", 1012)
        expected = words_of(engine_finals(spoken, clips[0][:15000]))
        ending.send('{"eof" : 1}')
        assert json.loads(ending.recv(10))["text"].split() == expected
        assert json.loads(endless.recv(10))["text"].split() == expected
        assert json.loads(endless.recv(10))["error"] == "the server is shutting down; connect again"
        with pytest.raises(ConnectionClosed) as closed:
            endless.recv(5)
        assert closed.value.rcvd.code == 1012
        assert server.process.wait(20) == 0
    assert psutil.pid_exists(server.process.pid) is False


def test_a_second_ctrl_c_ends_at_once_and_says_so(spoken, clips):
    def signalled(seconds: float) -> None:
        server.process.send_signal(signal.SIGINT)
        time.sleep(seconds)

    with serving(spoken.folder) as server, ThreadPoolExecutor(1) as pool:
        idle, busy = server.client(), server.client()
        idle.send(clips[0][:15000].tobytes())
        idle.recv(10)
        busy.send(np.tile(clips[0], 15).tobytes())
        uploading = pool.submit(uploaded, server, np.tile(clips[0], 100))
        time.sleep(1)
        signalled(0.5)
        began = time.monotonic()
        signalled(0)
        for client in (idle, busy):
            assert refused(client) == ("the server is shutting down; connect again", 1012)
        assert uploading.result(10) == 503
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 5
    assert server.lines[1:] == [
        "ssl-asr: waiting up to 20 s for 2 sessions and 1 file to end; a second Ctrl-C ends at once"
    ]


def uploaded(server, samples: np.ndarray) -> int:
    """The status of the answer."""
    audio = io.BytesIO()
    soundfile.write(audio, samples, RATE, format="WAV")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    request = urllib.request.Request(
        server.url("/v1/audio/transcriptions"), head + audio.getvalue() + b"\r\n--x--\r\n"
    )
    request.add_header("Content-Type", "multipart/form-data; boundary=x")
    try:
        with urllib.request.urlopen(request, timeout=100) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_workers_end_with_a_server_that_is_killed(spoken):
    with serving(spoken.folder) as server:
        workers = psutil.Process(server.process.pid).children()
        assert len(workers) == 1
        server.process.kill()
        _, alive = psutil.wait_procs(workers, 10)
        assert alive == []
