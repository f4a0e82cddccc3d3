"""The app under uvicorn: its ports and its end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from ssl_asr.serving.server.app import create_app
from ssl_asr.serving.server.protocols import Http, Websocket
from ssl_asr.serving.server.service import Options, Service

_SHUTDOWN_SECONDS = 5
_CUT_SECONDS = 1
_BACKLOG = 512
# A client's ping waits behind the audio that it has sent before, so little of that may lie in the network.
_RECEIVE_BYTES = 1 << 17


@dataclass(frozen=True)
class Place:
    """Where to listen: one port for Vosk's protocol and HTTP, one for sherpa-onnx's; 0 is any.

    `certificate` and `key` are PEM files for TLS.
    """

    host: str = "127.0.0.1"
    port: int = 2700
    sherpa_port: int = 6006
    certificate: str | None = None
    key: str | None = None


def serve(options: Options, place: Place, say: Callable[[str], None]) -> None:
    """Until SIGTERM or Ctrl-C and the end of the sessions. ValueError in one sentence if it can't start."""
    with (
        _listener(place.host, place.port, "--port") as first,
        _listener(place.host, place.sherpa_port, "--sherpa-port") as second,
    ):
        asyncio.run(_serve(options, place, [first, second], say))


async def _serve(options: Options, place: Place, listeners: list[socket.socket], say: Callable[[str], None]) -> None:
    service = Service(options, say)
    port, sherpa_port = (listener.getsockname()[1] for listener in listeners)
    server = _Server(_config(create_app(service, sherpa_port), options, place), service, say)
    await service.start()
    say(f"{place.host}, port {port}: Vosk's protocol, HTTP and a page; port {sherpa_port}: sherpa-onnx's protocol")
    await server.serve(sockets=listeners)


def _config(app: Starlette, options: Options, place: Place) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=Http,
        ws=Websocket,
        # A little more than allowed, so that the app can say so.
        ws_max_size=2 * options.limits.message_bytes,
        # Audio does not get smaller, and a small message could grow large.
        ws_per_message_deflate=False,
        # A client whose audio waits to be read can't answer a ping; idle ones are ended by the app.
        ws_ping_interval=None,
        backlog=_BACKLOG,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
    )
    try:
        config.load()
    except OSError as error:  # of TLS
        raise ValueError(
            f"{place.certificate} is no usable certificate with its key ({error}); give PEM files"
        ) from None
    return config


def _listener(host: str, port: int, option: str) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        return listener
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise ValueError(f"port {port} of {host} can't be used ({reason}); give another {option} or --host") from None


class _Server(uvicorn.Server):
    """Drains before it ends; a second signal cuts sessions and files off."""

    def __init__(self, config: uvicorn.Config, service: Service, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service, self._say = service, say
        self._loop = asyncio.get_running_loop()
        self._signals = 0
        self._ending: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.is_draining = True
        self._signals += 1
        if self._signals > 2:
            self.should_exit = self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self._end, self._cut if self._signals == 2 else self._drain)

    def _end(self, how: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = self._loop.create_task(how())

    async def _drain(self) -> None:
        counts = ((self._service.clients, "session"), (self._service.uploads, "file"))
        under_way = " and ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts if count)
        if under_way:
            most = self._service.options.limits.drain_seconds
            self._say(f"waiting up to {most:g} s for {under_way} to end; a second Ctrl-C ends at once")
        await self._service.drain()
        self.should_exit = True

    async def _cut(self) -> None:
        self.config.timeout_graceful_shutdown = _CUT_SECONDS
        await self._service.cut()
        self.should_exit = True
