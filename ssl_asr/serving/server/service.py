"""A server's parts, and how a websocket passes through them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from starlette.websockets import WebSocket

from ssl_asr.serving.adapting import EngineOptions
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.server.access import PROTOCOL, Access
from ssl_asr.serving.server.connection import Connection, Gone
from ssl_asr.serving.server.limits import Kind, Limits, Refusal
from ssl_asr.serving.server.metrics import Metrics
from ssl_asr.serving.server.pool import Pool
from ssl_asr.serving.server.sessions import Sessions
from ssl_asr.serving.server.uploads import UploadWorkers
from ssl_asr.serving.server.wire import Start

Converse = Callable[[Connection, Sessions], Awaitable[None]]
_TOLD_SECONDS = 1.0  # in which clients that are cut off take the reason


@dataclass(frozen=True)
class Options:
    """`workers` recognise sessions, `upload_workers` files, which have a lower priority.

    `sherpa_rate` is the sample rate of sherpa-onnx's clients, who don't tell it.
    """

    engine: EngineOptions
    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    endpoints: Endpoints = field(default_factory=Endpoints)
    workers: int = 1
    upload_workers: int = 1
    sherpa_rate: int = 16000


class Service:
    """From `start` to `close`; `drain` is the orderly way there, `cut` the short one."""

    def __init__(self, options: Options, warn: Callable[[str], None]) -> None:
        self.options, self.metrics = options, Metrics()
        self.pool = Pool(options.workers, Start(options.engine, options.endpoints), warn)
        self.upload_workers = UploadWorkers(options.upload_workers, options.engine)
        self.clients = self.uploads = 0
        self._open = 0  # uploads, and websockets until they have been told how they ended
        self.is_draining = self._is_started = self._is_cut = False
        self._tasks = set[asyncio.Task[object]]()
        self._ends, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """ValueError in one sentence if the bundle can't be used; more than once is once."""
        if not self._is_started:
            self._is_started = True
            await self.pool.start()

    async def close(self) -> None:
        await asyncio.gather(self.pool.close(), self.upload_workers.close())

    async def drain(self) -> None:
        """Take nobody new, wait for those who are there, and end the sessions of those who don't go in time."""
        self.is_draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), self.options.limits.drain_seconds)
        except TimeoutError:
            self._ends.set()
            # Each gets its last words and the reason first.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self.options.limits.unread_seconds)

    async def cut(self) -> None:
        """End all sessions and files now, with the reason but without last words."""
        self.is_draining = self._is_cut = True
        self._ends.set()
        for task in self._tasks:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _TOLD_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether what is still under way has to end now."""
        return self._ends.is_set()

    @property
    def is_healthy(self) -> bool:
        return not self.is_draining and bool(self.pool.alive)

    def page(self) -> bytes:
        """The metrics as they are now."""
        self.metrics.workers.labels("sessions").set(len(self.pool.alive))
        self.metrics.workers.labels("uploads").set(len(self.upload_workers.alive))
        self.metrics.restarts.set(self.pool.restarts)
        return self.metrics.page()

    async def host(self, websocket: WebSocket, protocol: str, converse: Converse | None) -> None:
        """A websocket from its handshake to its end; None is the protocol of a path that has none."""
        connection = Connection(websocket, self.options.limits, self._ends)
        try:
            with self._under_way():
                offered = websocket.scope.get("subprotocols", [])
                await connection.accept(PROTOCOL if PROTOCOL in offered else None)
                try:
                    self.options.access.check(websocket)
                    if converse is None:
                        raise _nothing_at(websocket.scope["path"])
                    self._admit()
                    with self._until_cut():
                        await self._converse(connection, protocol, converse)
                    await connection.close(1000)
                except Refusal as refusal:
                    self.metrics.refusals.labels(refusal.kind.label).inc()
                    await _tell(connection, refusal)
        except Gone:
            self.metrics.gone.inc()
        except asyncio.CancelledError:
            if not self._is_cut:
                raise  # else the client takes nothing, not even the reason
        finally:
            connection.end()

    def _admit(self) -> None:
        most = self.options.limits.clients
        if self.is_draining:
            raise Refusal(Kind.DRAINING, "the server is shutting down; connect again")
        if self.clients >= most:
            raise Refusal(Kind.FULL, f"the server has {most} clients, as many as it may; try again later")

    async def _converse(self, connection: Connection, protocol: str, converse: Converse) -> None:
        sessions = Sessions(self.pool, self.metrics)
        self.metrics.begun.labels(protocol).inc()
        self.clients += 1
        try:
            with self.metrics.sessions.labels(protocol).track_inprogress():
                await converse(connection, sessions)
        finally:
            self.clients -= 1
            sessions.close()

    @contextmanager
    def upload(self) -> Iterator[None]:
        """A file comes and is recognised. Refusal if there are enough."""
        most = self.options.limits.uploads
        if self.is_draining:
            raise Refusal(Kind.DRAINING, "the server is shutting down; try again")
        if self.uploads >= most:
            raise Refusal(Kind.FULL, f"the server has {most} files, as many as it may; try again later")
        self.uploads += 1
        try:
            with self._under_way(), self.metrics.uploads.track_inprogress(), self._until_cut():
                yield
        finally:
            self.uploads -= 1

    @contextmanager
    def _until_cut(self) -> Iterator[None]:
        """Refusal where `cut` ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_cut:
                raise
            task.uncancel()
            raise Refusal(Kind.DRAINING, "the server is shutting down; connect again") from None
        finally:
            self._tasks.discard(task)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._open += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()


def _nothing_at(path: str) -> Refusal:
    return Refusal(
        Kind.PATH, f"there is nothing at {path[:30]!r}; / and /vosk speak Vosk's protocol, /sherpa sherpa-onnx's"
    )


async def _tell(connection: Connection, refusal: Refusal) -> None:
    try:
        await connection.send(json.dumps({"error": str(refusal), "code": refusal.kind.close_code}))
        await connection.close(refusal.kind.close_code, str(refusal))
    except Gone:
        pass
