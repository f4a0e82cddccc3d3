"""Clients of the benchmark soak that mean no good, in a process of their own, so that they do not slow its clock."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

FULL = 1013
_PATIENT: dict[str, Any] = {"open_timeout": 60, "max_queue": None, "ping_interval": None}
MOST_SECONDS = 60.0  # of one client
_UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
_HEAD = f"GET / HTTP/1.1\r\nHost: localhost\r\n{_UPGRADE}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
_EMPTY_FRAME = b"\x82\x80\0\0\0\0"


@dataclass
class Seen:
    """How often each kind ended in which way; when each client was there, by time.monotonic."""

    ends: Counter[str] = field(default_factory=Counter)
    spans: list[tuple[float, float]] = field(default_factory=list)
    full: int = 0  # met the limit of clients, and so not what they were for


@dataclass(frozen=True)
class Server:
    port: int
    seen: Seen


def attack(port: int, clients: int, room: int, until: float) -> Seen:
    """So many clients, evenly over the time until then and at most `room` at a time."""
    seen = Seen()
    asyncio.run(_attack(Server(port, seen), clients, room, until))
    return seen


async def _attack(server: Server, clients: int, room: int, until: float) -> None:
    places, pause = asyncio.Semaphore(room), (until - time.monotonic()) / (clients + 1)
    kinds = itertools.cycle([garbage, half_open, flood, deaf, pings, huge])

    async def one(kind: Callable[[Server], Awaitable[None]]) -> None:
        async with places:
            began = time.monotonic()
            await kind(server)
            server.seen.spans.append((began, time.monotonic()))

    running = []
    for _ in range(clients):
        await asyncio.sleep(pause)
        running.append(asyncio.create_task(one(next(kinds))))
    await asyncio.gather(*running)


async def garbage(server: Server) -> None:
    """Bytes and texts that mean nothing, one connection after another."""
    chance = random.Random(server.port)
    for _ in range(20):
        size = chance.choice([1, 333, 40_001, 1_500_001])
        await _told("garbage", server, [chance.randbytes(size) if chance.random() < 0.5 else "{" * size])


async def half_open(server: Server) -> None:
    """Half a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: local")
    answer = await reader.read()
    server.seen.ends[f"half-open: {answer[9:12].decode() or 'dropped'}"] += 1
    writer.close()


async def flood(server: Server) -> None:
    """Messages as fast as they go, empty ones and then large ones."""
    await _told("flood", server, [b""] * 3000 + [bytes(1 << 20)] * 30)


async def pings(server: Server) -> None:
    await _told("pings", server, itertools.repeat(None))


async def huge(server: Server) -> None:
    """Messages of 16 MiB."""
    await _told("huge", server, itertools.repeat(bytes(1 << 24)))


async def deaf(server: Server) -> None:
    """Sends, and reads nothing."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(_HEAD.encode())
    ended = "goes on"
    try:
        async with asyncio.timeout(MOST_SECONDS):
            while True:
                writer.write(_EMPTY_FRAME * 500)
                await writer.drain()
    except OSError:
        ended = "dropped"
    except TimeoutError:
        pass
    server.seen.ends[f"deaf: {ended}"] += 1
    writer.transport.abort()


async def _told(kind: str, server: Server, messages: Iterable[bytes | str | None]) -> None:
    """Sends while it reads, pings for None; counts the end: by a sentence, by a code alone, or not at all."""
    error, code = list[str](), 0
    try:
        async with (
            asyncio.timeout(MOST_SECONDS),
            connect(_address(server), **_PATIENT) as client,
        ):
            sending = asyncio.create_task(_send(client, messages))
            try:
                code = await _read(client, error)
            finally:
                sending.cancel()
    except TimeoutError:
        server.seen.ends[f"{kind}: goes on"] += 1
        return
    except OSError:
        pass
    server.seen.full += code == FULL
    how = f"{'sentence and' if error else 'only'} code {code}" if code else "dropped"
    server.seen.ends[f"{kind}: {how}"] += 1


async def _send(client: ClientConnection, messages: Iterable[bytes | str | None]) -> None:
    with suppress(ConnectionClosed):
        for message in messages:
            if message is None:
                await client.ping()
                await asyncio.sleep(0)  # else it would never read
            else:
                await client.send(message)


async def _read(client: ClientConnection, error: list[str]) -> int:
    """The code of the server's close, 0 if there is none."""
    try:
        while True:
            if said := json.loads(await client.recv()).get("error"):
                error.append(said)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


def _address(server: Server) -> str:
    return f"ws://127.0.0.1:{server.port}"
