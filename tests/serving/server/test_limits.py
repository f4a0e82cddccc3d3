"""Limits: each is told in one sentence, and whoever breaks one disturbs nobody else."""

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from ssl_asr.serving.server.limits import Limits, Pace
from tests.serving.server.conftest import RATE, engine_finals, refused, replies, serving, vosk_words, words_of


@pytest.fixture(scope="module")
def strict(spoken):
    """A server with narrow limits."""
    limits = ("--clients=2", "--message-bytes=32000", "--idle-seconds=2", "--session-seconds=6")
    with serving(spoken.folder, *limits, "--unread-seconds=1", "--drain-seconds=2") as server:
        yield server


def test_too_many_clients_are_told(strict):
    with strict.client(), strict.client():
        time.sleep(0.2)
        said, code = refused(strict.client())
        assert (said, code) == ("the server has 2 clients, as many as it may; try again later", 1013)
    time.sleep(0.2)
    with strict.client() as client:
        client.send(b"")
        assert json.loads(client.recv(10)) == {"partial": ""}


@pytest.mark.parametrize("size", [32002, 100_000])
def test_a_message_that_is_too_large(strict, size):
    client = strict.client()
    client.send(bytes(size))
    said, code = refused(client)
    assert code == 1009
    if size < 64000:
        assert said == "a message has 32002 bytes, the largest possible is 32000; send audio in pieces"
    else:  # not even read
        assert said == "a message is far larger than 32000 bytes, the most possible; send audio in pieces"


def test_a_client_that_says_nothing(strict):
    began = time.monotonic()
    assert refused(strict.client()) == ("no message came for 2 s; connect again", 1008)
    assert 1.9 < time.monotonic() - began < 4


def test_a_session_that_lasts_too_long_gets_its_final(spoken, strict, clips):
    with strict.client() as client:
        client.send(clips[0][:15000].tobytes())
        said = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                said.append(json.loads(client.recv(10)))
                time.sleep(0.3)
                client.send(b"")
        said += replies(client)
        assert client.close_code == 1008
    assert said[-2]["text"].split() == words_of(engine_finals(spoken, clips[0][:15000]))
    assert "the session has lasted 6 s" in said[-1]["error"]


def test_a_client_that_reads_nothing_is_dropped_and_disturbs_nobody(spoken, strict, clips):
    raw = socket.create_connection(("127.0.0.1", strict.port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    raw.settimeout(20)
    ended = threading.Event()

    def flood():
        frame = b"\x82\x80\x00\x00\x00\x00" * 2000  # empty binary messages: each has a reply that nobody reads
        try:
            while True:
                raw.sendall(frame)
        except OSError:
            ended.set()

    threading.Thread(target=flood, daemon=True).start()
    expected = words_of(engine_finals(spoken, clips[0]))
    for _ in range(5):
        with strict.client() as client:
            began = time.monotonic()
            assert vosk_words(client, clips[0]) == expected
            assert time.monotonic() - began < 5
    raw.close()


def test_pace_lets_bursts_and_audio_through_and_slows_floods():
    pace, now, waited = Pace(100, 0.0), 0.0, 0.0
    for _ in range(300):
        waited += pace.delay(1.0, now)
    assert waited == 0
    for _ in range(1000):  # a flood at once takes its time
        now += pace.delay(1.0, now)
    assert now == pytest.approx(10, rel=0.01)
    assert all(pace.delay(0.0, now + 1) == 0 for _ in range(10_000))


def test_limits_are_above_0():
    with pytest.raises(ValueError, match="the limit idle_seconds is 0; give a number above 0"):
        Limits(idle_seconds=0)


def test_a_token_is_asked_for(spoken, clips, tmp_path):
    (tmp_path / "token").write_text("open-sesame\n")
    with serving(spoken.folder, f"--token-file={tmp_path / 'token'}") as server:
        for headers in ({}, {"Authorization": "Bearer open-sesamE"}, {"Authorization": "Basic open-sesame"}):
            said, code = refused(server.client(additional_headers=headers))
            assert "asks for a token" in said
            assert code == 1008
        expected = words_of(engine_finals(spoken, clips[0]))
        with server.client(additional_headers={"Authorization": "Bearer open-sesame"}) as client:
            assert vosk_words(client, clips[0]) == expected
        with server.client(subprotocols=["ssl-asr", "bearer.open-sesame"]) as client:  # as a browser can
            assert client.subprotocol == "ssl-asr"
            assert vosk_words(client, clips[0]) == expected
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(server.url("/metrics"))
        assert urllib.request.urlopen(server.url("/healthz")).status == 200
        assert not any("sesame" in line for line in server.lines)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Origin": "https://evil.example"}, "pages of 'https://evil.example' may not use this server"),
        ({"Origin": "null"}, "pages of 'null' may not use this server"),
        ({"Host": "evil.example:2700", "Origin": "http://evil.example:2700"}, "answers to localhost, not to"),
    ],
)
def test_pages_of_other_sites_are_refused(server, headers, said):
    raw = socket.create_connection(("127.0.0.1", server.port))
    fields = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade", **headers}
    fields |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    raw.sendall("".join(["GET / HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in fields.items()), "\r\n"]).encode())
    raw.settimeout(10)
    data = b""
    while b"1008" not in data:
        part = raw.recv(4096)
        assert part, data
        data += part
    raw.close()
    assert said.encode() in data


def test_the_own_page_is_let_in(server, clips):
    with server.client(origin=f"http://127.0.0.1:{server.port}") as client:
        client.send(b"")
        assert json.loads(client.recv(10)) == {"partial": ""}


def test_pings_are_answered_while_a_backlog_is_worked_off(spoken, server, talk):
    """A file sent at once, by a client that drops the line if no pong comes within 20 seconds."""
    audio = np.tile(talk, 4)
    with server.client(ping_interval=0.2, ping_timeout=20) as client:
        words = []
        messages = [audio[begin : begin + RATE].tobytes() for begin in range(0, len(audio), RATE)]
        sender = threading.Thread(target=lambda: [client.send(each) for each in messages], daemon=True)
        sender.start()
        for _ in messages:
            words += json.loads(client.recv(30)).get("text", "").split()
        sender.join()
        client.send('{"eof" : 1}')
        words += json.loads(client.recv(30))["text"].split()
    assert words == words_of(engine_finals(spoken, audio))


def test_a_long_session_neither_stalls_nor_grows(server, talk):
    """Ten minutes of speech; replies at the end take as long as at the begin."""
    audio = np.tile(talk, 1 + 600 * RATE // len(talk))[: 600 * RATE]
    (worker,) = psutil.Process(server.process.pid).children()
    times, sizes = [], []
    with server.client() as client:
        client.send('{"config": {"words": false}}')
        for begin in range(0, len(audio), RATE):
            began = time.monotonic()
            client.send(audio[begin : begin + RATE].tobytes())
            client.recv(30)
            times.append(time.monotonic() - began)
            sizes.append(worker.memory_info().rss)
    assert np.median(times[-200:]) < 2 * np.median(times[:200])
    assert max(sizes) - max(sizes[:200]) < 20e6
