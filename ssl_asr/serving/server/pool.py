"""The worker processes of all sessions, each started again when it has died."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

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
    Start,
)
from ssl_asr.serving.server.worker_process import Worker, lost, refusal_of, start_worker

_MOST_RESTARTS = 3  # in a row, of a worker that does not get as far as an open engine


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
