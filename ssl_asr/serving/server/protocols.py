"""Uvicorn's protocols, for clients that never finish what they begin, or send what a server can't use.

A byte of a client may cost the server's one thread far more than it costs the client. So what the app does not see
has limits here: heads of requests, pings, and parts of messages. What is refused gets one sentence, as in the app.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode

from ssl_asr.serving.server.limits import REASON_BYTES, Pace

_HEADER_SECONDS = 10.0
_HEADER_BYTES = 1 << 16
_LINGER_SECONDS = 5.0
_FRAMES_PER_SECOND = 100.0  # of those that carry no whole message
_FREE_BYTES = 1024  # a part of a message with so many costs nothing


class Http(HttpToolsProtocol):
    """Drops who connects and does not ask, or asks without end."""

    _late: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _HEADER_BYTES:
                self._drop("431 Request Header Fields Too Large", f"the head has more than {_HEADER_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._late.cancel()  # of the connection, or of the request before
        self._await_head()

    def on_headers_complete(self) -> None:
        self._late.cancel()
        self._in_head = False
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        sentence = f"the request did not come within {_HEADER_SECONDS:g} s; send it at once"
        self._late = self.loop.call_later(_HEADER_SECONDS, self._drop, "408 Request Timeout", sentence)

    def _drop(self, status: str, sentence: str) -> None:
        if self.transport.is_closing():
            return
        body = json.dumps({"error": sentence, "code": int(status.split()[0])})
        head = (f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}")
        self.transport.write("\r\n".join([*head, "connection: close", "", body]).encode())
        self.transport.close()


class Websocket(WebSocketsSansIOProtocol):
    """Does not wait for ever that a client takes what is left, and keeps nothing for one that takes nothing."""

    frames: list[bytes]
    close_sent: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace, self._is_over = Pace(_FRAMES_PER_SECOND, time.monotonic()), False

    async def run_asgi(self) -> Any:
        await super().run_asgi()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    async def receive(self) -> Any:
        """Nothing more of who has gone: what lies here can't be answered."""
        await self.writable.wait()
        if self.disconnected or self._is_over:
            return {"type": "websocket.disconnect", "code": 1006}
        return await super().receive()

    def data_received(self, data: bytes) -> None:
        if not self._is_over:
            super().data_received(data)

    def pause_writing(self) -> None:
        """Who takes nothing is not heard: its pings would have answers without end."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def handle_ping(self) -> None:
        if self._may_go_on(0):
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._may_go_on(0):
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if self._may_go_on(len(event.data)):
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Text that is no UTF-8 is for the app to refuse, too."""
        if self.curr_msg_data_type == "text":
            self.frames = [b"".join(self.frames).decode(errors="replace").encode()]
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        wrong, sent = self.conn.parser_exc, self.conn.close_sent
        if sent is None or isinstance(wrong, EOFError):
            self.transport.abort()
        elif isinstance(wrong, PayloadTooBig):
            most = (self.config.ws_max_size or 0) // 2
            self._end(
                sent.code, f"a message is far larger than {most} bytes, the most possible; send audio in pieces"
            )
        else:
            self._end(sent.code, f"what came is no message of a websocket ({wrong}); connect again")

    def _may_go_on(self, size: int) -> bool:
        if self._is_over or self.close_sent:
            return False
        if self._pace.delay(max(0.0, 1.0 - size / _FREE_BYTES), time.monotonic()):
            self._end(1008, "too many pings or parts of messages came; send audio in whole messages")
        return not self._is_over

    def _end(self, code: int, sentence: str) -> None:
        """What the app has not answered yet stays without an answer."""
        self._is_over = True
        if self.close_sent or self.transport.is_closing():
            return
        if self.conn.close_sent is None:
            self.conn.data_to_send()  # pongs that nobody waits for
            self.conn.send_close(code, sentence[:REASON_BYTES])
        text = Frame(Opcode.TEXT, json.dumps({"error": sentence, "code": code}).encode()).serialize(mask=False)
        self.transport.write(text + b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": sentence})
        # A socket that is closed with unread data in it takes back what it has sent.
        self.close_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
