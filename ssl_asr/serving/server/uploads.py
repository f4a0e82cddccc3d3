"""Files that clients send, and the processes that recognise them: one file at a time each, begun when needed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from ssl_asr.serving.adapting import EngineOptions
from ssl_asr.serving.server.limits import Kind, Limits, Refusal
from ssl_asr.serving.server.wire import Broken, Start, Transcribe, Transcribed
from ssl_asr.serving.server.worker_process import Worker, lost, refusal_of, start_worker

_NICENESS = 10  # sessions come first: files are for those who can wait
_MOST_ENDING = 6  # characters of a file's ending that are kept


class UploadWorkers:
    """At most `size` processes."""

    def __init__(self, size: int, engine: EngineOptions) -> None:
        self._start = Start(engine, niceness=_NICENESS)
        self._places: asyncio.Queue[Worker | None] = asyncio.Queue()
        for _ in range(size):
            self._places.put_nowait(None)
        self.alive: set[Worker] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def transcribe(self, name: str, path: str, confidences: bool) -> Transcribed:
        """Refusal if the file can't be used. Cancelled, it ends the process, which may have hours to go."""
        worker, is_done = await self._places.get(), False
        try:
            if worker is not None and not worker.is_alive:  # it has died while it had nothing to do
                self._end(worker)
                worker = None
            if worker is None:
                worker = await self._begin()
            reply = await worker.ask(Transcribe(0, name, path, confidences))
            is_done = True
        finally:
            if worker is not None and not is_done:
                self._end(worker)
            self._places.put_nowait(worker if is_done else None)
        if isinstance(reply, Broken):
            raise refusal_of(reply)
        assert isinstance(reply, Transcribed)
        return reply

    async def close(self) -> None:
        await asyncio.gather(*self._ending, *(worker.end(kills=True) for worker in self.alive))

    def _end(self, worker: Worker) -> None:
        self.alive.discard(worker)
        ending = asyncio.create_task(worker.end(kills=True))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _begin(self) -> Worker:
        try:
            worker = await start_worker(self._start)
        except ValueError:
            raise lost() from None
        worker.reading = asyncio.create_task(worker.read())
        self.alive.add(worker)
        return worker


def limited(receive: Receive, limits: Limits, expected: str | None) -> Receive:
    """The body of a request; Refusal if it is too long or too slow. `expected` is its length as the client says."""
    deadline, total = time.monotonic() + limits.upload_seconds, 0
    if expected is not None and expected.isdecimal() and int(expected) > limits.upload_bytes:
        raise _too_large(limits)

    async def next_part() -> Message:
        nonlocal total
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                message = await receive()
        except TimeoutError:
            raise Refusal(
                Kind.IDLE, f"the file did not come within {limits.upload_seconds:g} s; send a smaller one"
            ) from None
        total += len(message.get("body", b""))
        if total > limits.upload_bytes:
            raise _too_large(limits)
        return message

    return next_part


def _too_large(limits: Limits) -> Refusal:
    return Refusal(Kind.SIZE, f"the request is larger than {limits.upload_bytes} bytes; cut the file, or compress it")


@asynccontextmanager
async def on_disk(upload: UploadFile) -> AsyncIterator[str]:
    """The path of a copy, as long as the block lasts."""
    ending = Path(upload.filename or "").suffix[:_MOST_ENDING]
    if not ending[1:].isalnum():
        ending = ""
    with tempfile.NamedTemporaryFile(prefix="ssl-asr-upload-", suffix=ending) as file:
        await asyncio.to_thread(shutil.copyfileobj, upload.file, file, 1 << 20)
        await asyncio.to_thread(file.flush)
        yield file.name
