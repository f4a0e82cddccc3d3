"""What the server and its worker processes say to each other, over a pair of sockets that nobody else has.

A message is a pickled object behind its length: both ends are one program, and nothing of a client's is unpickled.
"""

from __future__ import annotations

import asyncio
import pickle
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ssl_asr.serving.adapting import EngineOptions
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.results import Final, Partial
from ssl_asr.serving.transcribing.transcript import Transcript

Encoding = Literal["int16", "float32"]
_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 18


@dataclass(frozen=True)
class Start:
    """The first message to a worker; `niceness` is added to its own. Streams end utterances by `endpoints`."""

    engine: EngineOptions
    endpoints: Endpoints = field(default_factory=Endpoints)
    niceness: int = 0


@dataclass(frozen=True)
class Ready:
    """The first message of a worker whose engine is open; `language` is the code in the bundle."""

    name: str
    sample_rate: int
    language: str


@dataclass(frozen=True)
class Begin:
    """A session's audio is little-endian, mono, at `sample_rate`. It has no reply.

    Finals have confidences, and so many `alternatives`, if these are asked for.
    """

    session: int
    sample_rate: int
    encoding: Encoding
    confidences: bool
    alternatives: int = 0


@dataclass(frozen=True)
class Audio:
    session: int
    data: bytes
    with_times: bool = False


@dataclass(frozen=True)
class EndUtterance:
    session: int


@dataclass(frozen=True)
class Finish:
    session: int


@dataclass(frozen=True)
class Forget:
    """The client has gone. It has no reply."""

    session: int


@dataclass(frozen=True)
class Transcribe:
    """A file, of which the first channel counts."""

    session: int
    name: str
    path: str
    confidences: bool


Request = Begin | Audio | EndUtterance | Finish | Forget | Transcribe


@dataclass(frozen=True)
class Heard:
    """What is known after a request; `decoded` seconds of the stream are in it, which took `busy` seconds."""

    session: int
    finals: tuple[Final, ...]
    partial: Partial
    decoded: float
    busy: float


@dataclass(frozen=True)
class Transcribed:
    session: int
    transcript: Transcript
    channels: int
    busy: float


@dataclass(frozen=True)
class Broken:
    """The request could not be done; `is_input` says that what the client sent is wrong. The session is over."""

    session: int
    sentence: str
    is_input: bool = True


Reply = Heard | Transcribed | Broken


def packed(message: object) -> bytes:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message; IncompleteReadError where the other end has gone."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))


class Inbox:
    """The messages of a blocking socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def messages(self, waits: bool) -> Iterator[Any]:
        """Those that are there; with `waits` at least one. EOFError where the other end has gone."""
        found = False
        while (waits and not found) or select.select([self._connection], [], [], 0)[0]:
            data = self._connection.recv(_READ_BYTES)
            if not data:
                raise EOFError
            self._buffer += data
            while (message := self._next()) is not None:
                found = True
                yield message

    def _next(self) -> Any:
        if len(self._buffer) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
        if len(self._buffer) < end:
            return None
        message = pickle.loads(memoryview(self._buffer)[_LENGTH.size : end])
        del self._buffer[:end]
        return message
