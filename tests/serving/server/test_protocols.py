"""What the app never sees: pings, parts of messages, heads of requests, and bytes that are no websocket's."""

import asyncio
import json
import socket
import urllib.error
import urllib.request

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode

from ssl_asr.serving.server.protocols import Websocket
from tests.serving.server.conftest import engine_finals, vosk_words

FIELDS = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade"}
FIELDS |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}


def more(raw, at_most=4096):
    data = raw.recv(at_most)
    assert data, "the server closed the connection"
    return data


def received(raw, end, at_most=4096):
    """What comes up to and with an end: TCP may bring it in pieces."""
    data = b""
    while end not in data:
        data += more(raw, at_most)
    return data


def opened(port):
    """A websocket by hand."""
    raw = socket.create_connection(("127.0.0.1", port), 20)
    raw.sendall("".join(["GET / HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in FIELDS.items()), "\r\n"]).encode())
    received(raw, b"\r\n\r\n", at_most=1)
    return raw


def frame(opcode, data=b"", fin=True):
    return Frame(opcode, data, fin).serialize(mask=True)


def told(raw):
    """The text and the close with which the server ends a connection, one frame each."""
    data = b""
    while True:
        text, opcode, close = data.partition(b"\x88")
        if opcode and len(close) > 1 and len(close) > close[0]:
            break
        data += more(raw)
    raw.close()
    return json.loads(text[text.index(b"{") :])["error"], Close.parse(close[1 : close[0] + 1]).code


@pytest.mark.parametrize(
    "flood",
    [
        frame(Opcode.PING) * 2000,
        frame(Opcode.PONG) * 2000,
        frame(Opcode.BINARY, fin=False) + frame(Opcode.CONT, fin=False) * 2000,
    ],
    ids=["pings", "pongs", "parts"],
)
def test_a_flood_that_carries_no_message_is_ended(server, flood):
    raw = opened(server.port)
    raw.sendall(flood)
    assert told(raw) == ("too many pings or parts of messages came; send audio in whole messages", 1008)


def test_a_message_in_many_parts_is_heard(spoken, server, clips):
    with server.client() as client:
        audio = clips[0].tobytes()
        client.send([audio[begin : begin + 1024] for begin in range(0, len(audio), 1024)])
        client.recv(20)
        client.send(['{"eof"', " : 1}"])
        expected = [word.word for final in engine_finals(spoken, clips[0]) for word in final.words]
        assert json.loads(client.recv(20))["text"].split() == expected


class Transport(asyncio.Transport):
    """Remembers whether it is read."""

    is_read = True

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True


def test_a_client_that_takes_nothing_is_not_heard():
    """Its pings would have answers without end, which nobody takes."""

    async def app(scope, receive, send):
        pass

    async def reads():
        protocol = Websocket(Config(app, ws=Websocket), ServerState(), {})
        protocol.transport, found = Transport(), []
        for call in (protocol.pause_writing, protocol.resume_writing):
            call()
            found.append(protocol.transport.is_read)
        return found

    assert asyncio.run(reads()) == [False, True]


def send_again_and_again(client, message):
    while True:
        client.send(message)


def test_a_message_far_beyond_the_limit_is_told(server):
    with server.client() as client:
        with pytest.raises(ConnectionClosed):
            send_again_and_again(client, bytes(5 << 20))
        said = json.loads(client.recv(10))
        assert said["error"] == "a message is far larger than 1048576 bytes, the most possible; send audio in pieces"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
        assert closed.value.rcvd.code == said["code"] == 1009


@pytest.mark.parametrize(
    ("data", "said", "code"),
    [
        (frame(Opcode.TEXT, b"\xff\xfe"), "the message '\\ufffd\\ufffd' is unknown", 1007),
        (Frame(Opcode.TEXT, b"{}").serialize(mask=False), "what came is no message of a websocket", 1002),
        (b"\xff" * 100, "what came is no message of a websocket", 1002),
    ],
    ids=["no-utf8", "no-mask", "no-frame"],
)
def test_bytes_that_are_no_message_are_told(server, data, said, code):
    raw = opened(server.port)
    raw.sendall(data)
    sentence, closed = told(raw)
    assert said in sentence.encode("ascii", "backslashreplace").decode()
    assert closed == code


def test_half_open_connections_are_dropped(server):
    """Half a first request, and half a second one."""
    raws = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(2)]
    raws[1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert received(raws[1], b"}").startswith(b"HTTP/1.1 200 ")
    for raw in raws:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: local")
    for raw in raws:
        answer = received(raw, b"the request did not come within 10 s")
        assert answer.startswith(b"HTTP/1.1 408 ")
        raw.close()


def test_a_head_without_end_is_refused(server):
    raw = socket.create_connection(("127.0.0.1", server.port), 20)
    raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000)
    assert raw.recv(4096).startswith(b"HTTP/1.1 431 ")
    raw.close()


@pytest.mark.parametrize("path", ["/nowhere", "/static/page.js", "/healthz"])
def test_a_path_without_protocol_is_told(server, path):
    with server.client(path) as client:
        said = json.loads(client.recv(10))
        assert said["error"].startswith(f"there is nothing at '{path}'; / and /vosk speak Vosk's protocol")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
        assert closed.value.rcvd.code == said["code"] == 1008


@pytest.mark.parametrize(
    ("path", "data", "status", "said"),
    [
        ("/nowhere", None, 404, "GET /nowhere is unknown; / is a page"),
        ("/healthz", b"{}", 405, "POST /healthz is not possible; use GET or HEAD"),
        ("/v1/audio/transcriptions", None, 405, "GET /v1/audio/transcriptions is not possible; use POST"),
    ],
)
def test_a_request_for_something_else_is_told(server, path, data, status, said):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(server.url(path), data)
    assert error.value.code == status
    assert json.loads(error.value.read())["error"]["message"].startswith(said)


@pytest.mark.parametrize("fields", [{"Host": "["}, {"Origin": "http://["}])
def test_names_that_are_none_are_refused(server, fields, clips):
    raw = socket.create_connection(("127.0.0.1", server.port), 20)
    lines = [f"{name}: {value}\r\n" for name, value in {**FIELDS, **fields}.items()]
    raw.sendall("".join(["GET / HTTP/1.1\r\n", *lines, "\r\n"]).encode())
    sentence, code = told(raw)
    assert "this server" in sentence
    assert code == 1008
    with server.client() as client:
        assert vosk_words(client, clips[0])
