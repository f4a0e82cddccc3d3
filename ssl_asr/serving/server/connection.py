"""A client's websocket, within the limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from starlette.websockets import WebSocket, WebSocketDisconnect

from ssl_asr.serving.server.limits import REASON_BYTES, Kind, Limits, Pace, Refusal

_CLOSE_SECONDS = 2.0
_FREE_SECONDS = 0.1  # a message with so much audio costs no pace: recognising it takes turns anyway


class Gone(Exception):
    """The client has gone, or takes nothing."""


class Connection:
    """Messages in and out, one at a time: while one is answered, the client's next ones wait in the network."""

    def __init__(self, websocket: WebSocket, limits: Limits, draining: asyncio.Event) -> None:
        self._websocket, self._limits, self._draining = websocket, limits, draining
        now = time.monotonic()
        self._end, self._pace = now + limits.session_seconds, Pace(limits.messages_per_second, now)
        self._receiving: asyncio.Task[str | bytes] | None = None
        self._ends = asyncio.create_task(draining.wait())

    async def accept(self, protocol: str | None) -> None:
        """Gone if the client does not wait for that."""
        await self._within(self._websocket.accept(protocol), self._limits.unread_seconds)

    async def receive(self) -> str | bytes:
        """The next message.

        Gone if the client has. Refusal if it is too large or does not come, the session is too long, or the server
        ends.
        """
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._next())
        timeout = max(0.0, min(self._end - time.monotonic(), self._limits.idle_seconds))
        await asyncio.wait({self._receiving, self._ends}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._draining.is_set():
            raise Refusal(Kind.DRAINING, "the server is shutting down; connect again")
        if self._end <= time.monotonic():
            lasted = f"{self._limits.session_seconds:g} s, the longest that a session may"
            raise Refusal(Kind.LENGTH, f"the session has lasted {lasted}; connect again")
        if not self._receiving.done():
            raise Refusal(Kind.IDLE, f"no message came for {self._limits.idle_seconds:g} s; connect again")
        message, self._receiving = self._receiving.result(), None
        size = len(message)
        if size > self._limits.message_bytes:
            most = self._limits.message_bytes
            raise Refusal(
                Kind.SIZE, f"a message has {size} bytes, the largest possible is {most}; send audio in pieces"
            )
        return message

    async def keep_pace(self, audio_seconds: float) -> None:
        """Waits if the client sends more small messages than it may; this one has so much audio."""
        if delay := self._pace.delay(max(0.0, 1.0 - audio_seconds / _FREE_SECONDS), time.monotonic()):
            await asyncio.sleep(delay)

    async def send(self, text: str) -> None:
        """Gone if the client does not take it."""
        await self._within(self._websocket.send_text(text), self._limits.unread_seconds)

    async def close(self, code: int, reason: str = "") -> None:
        short = reason.encode()[:REASON_BYTES].decode(errors="ignore")
        await self._within(self._websocket.close(code, short), _CLOSE_SECONDS)

    async def closed_by_client(self) -> None:
        """Waits a moment for the client to close, which some want to do themselves."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                while True:
                    await self.receive()
        except (TimeoutError, Gone, Refusal):
            pass

    def end(self) -> None:
        """Of the use of this object; the websocket stays as it is."""
        self._ends.cancel()
        if self._receiving is not None and not self._receiving.cancel():
            self._receiving.exception()  # has been looked at

    async def _next(self) -> str | bytes:
        try:
            message = await self._websocket.receive()
        except WebSocketDisconnect as error:
            raise Gone from error
        if message["type"] == "websocket.disconnect":
            raise Gone
        text: str | None = message.get("text")
        data: bytes | None = message.get("bytes")
        return text if text is not None else data or b""

    async def _within(self, sending: Awaitable[None], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await sending
        except TimeoutError:
            raise Gone("unread") from None
        except (WebSocketDisconnect, OSError, RuntimeError) as error:
            raise Gone from error
