"""A worker process, as the server sees it; `worker.py` is what runs in it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import dataclass, field

from ssl_asr.serving.server.limits import Kind, Refusal
from ssl_asr.serving.server.wire import Broken, Ready, Reply, Request, Start, packed, receive

_START_SECONDS = 120.0
_END_SECONDS = 5.0


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


def refusal_of(reply: Broken) -> Refusal:
    return Refusal(Kind.DATA if reply.is_input else Kind.FAILURE, reply.sentence)
