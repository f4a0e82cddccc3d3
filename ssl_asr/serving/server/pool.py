"""The worker processes, as the server sees them."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from ssl_asr.serving.server.limits import Kind, Refusal
from ssl_asr.serving.server.wire import (
    Audio,
    Begin,
    Broken,
    Encoding,
    EndUtterance,
    Finish,
    Forget,
    Heard,
    Ready,
    Reply,
    Request,
    Start,
    packed,
    receive,
)

_START_SECONDS = 120.0
_END_SECONDS = 5.0
_MOST_RESTARTS = 3  # in a row, of a worker that does not get as far as an open engine


@dataclass(eq=False)
class Worker:
    """One process and the requests that it has not answered yet, at most one a session."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ready: Ready
    sessions: int = 0
    waiting: dict[int, asyncio.Future[Reply]] = field(default_factory=dict)
    is_alive: bool = True
    reading: asyncio.Task[None] | None = None

    async def ask(self, request: Request) -> Reply:
        """Refusal if the process has gone."""
        if not self.is_alive:
            raise lost()
        future = asyncio.get_running_loop().create_future()
        self.waiting[request.session] = future
        try:
            self.tell(request)
            await self.writer.drain()
            return await future
        except ConnectionError:
            raise lost() from None
        finally:
            self.waiting.pop(request.session, None)

    def tell(self, request: Request) -> None:
        """Without a reply."""
        if self.is_alive:
            self.writer.write(packed(request))

    async def read(self) -> None:
        """Gives each reply to the session that waits for it, until the process has gone."""
        try:
            while True:
                reply = await receive(self.reader)
                future = self.waiting.get(reply.session)
                if future is not None and not future.done():
                    future.set_result(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.is_alive = False
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(lost())

    async def end(self, kills: bool = False) -> None:
        """A process whose socket is closed ends by itself, between two pieces."""
        self.is_alive = False
        self.writer.close()
        if kills and self.process.returncode is None:
            self.process.kill()
        try:
            await asyncio.wait_for(self.process.wait(), _END_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def lost() -> Refusal:
    return Refusal(Kind.FAILURE, "the recogniser of this session has gone; connect again")


async def start_worker(start: Start) -> Worker:
    """ValueError in one sentence if its engine can't be opened."""
    ours, theirs = socket.socketpair()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ssl_asr.serving.server.worker", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the server
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        writer.write(packed(start))
        first = await asyncio.wait_for(receive(reader), _START_SECONDS)
        if isinstance(first, Ready):
            return Worker(process, reader, writer, first)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        first = Broken(0, "a worker process did not start; see what it printed")
    except asyncio.CancelledError:  # by a client that did not wait, or by the server's end
        _stop(process, writer)
        raise
    _stop(process, writer)
    await process.wait()
    raise ValueError(first.sentence)


def _stop(process: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
    writer.close()
    if process.returncode is None:
        process.kill()


class Pool:
    """So many workers, each started again when it has died."""

    def __init__(self, size: int, start: Start, warn: Callable[[str], None]) -> None:
        self._size, self._start, self._warn = size, start, warn
        self._workers: list[Worker] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._numbers = itertools.count(1)
        self.restarts = 0

    async def start(self) -> None:
        """ValueError in one sentence if an engine can't be opened."""
        begun = (start_worker(self._start) for _ in range(self._size))
        found = await asyncio.gather(*begun, return_exceptions=True)
        self._workers = [each for each in found if isinstance(each, Worker)]
        for failed in found:
            if isinstance(failed, BaseException):
                await self.close()
                raise failed
        self._keepers = [asyncio.create_task(self._keep(place)) for place in range(self._size)]

    async def close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._workers))

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.is_alive]

    @property
    def ready(self) -> Ready:
        return self._workers[0].ready

    def session(self, sample_rate: int, encoding: Encoding, *, confidences: bool, alternatives: int) -> Session:
        """On the worker with the fewest; Refusal if none is alive."""
        worker = self._chosen()
        number = next(self._numbers)
        worker.tell(Begin(number, sample_rate, encoding, confidences, alternatives))
        return Session(worker, number)

    def _chosen(self) -> Worker:
        if not (alive := self.alive):
            raise lost()
        return min(alive, key=lambda worker: worker.sessions)

    async def _keep(self, place: int) -> None:
        failed = 0
        while failed < _MOST_RESTARTS:
            worker = self._workers[place]
            await worker.read()
            await worker.end()
            self._warn(f"a worker process has ended with {worker.process.returncode}; another one is started")
            self.restarts += 1
            try:
                self._workers[place] = await start_worker(self._start)
                failed = 0
            except ValueError as error:
                failed += 1
                self._warn(str(error))
                await asyncio.sleep(failed)


class Session:
    """A session of a client, at its worker; one request at a time."""

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker, self._number = worker, number
        worker.sessions += 1

    async def hear(self, data: bytes, with_times: bool = False) -> Heard:
        return await self._ask(Audio(self._number, data, with_times))

    async def end_utterance(self) -> Heard:
        return await self._ask(EndUtterance(self._number))

    async def finish(self) -> Heard:
        return await self._ask(Finish(self._number))

    def close(self) -> None:
        """To be called once."""
        self._worker.sessions -= 1
        self._worker.tell(Forget(self._number))

    async def _ask(self, request: Audio | EndUtterance | Finish) -> Heard:
        reply = await self._worker.ask(request)
        if isinstance(reply, Broken):
            raise refusal_of(reply)
        assert isinstance(reply, Heard)
        return reply


def refusal_of(reply: Broken) -> Refusal:
    return Refusal(Kind.DATA if reply.is_input else Kind.FAILURE, reply.sentence)
