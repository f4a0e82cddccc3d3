"""For Ray Serve's proxies: a session whose replica has died ends with a sentence and a close code.

A proxy by itself only drops the connection. It takes what `middlewares` returns where the variable
RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names it.
"""

from __future__ import annotations

import json
from typing import Final

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VARIABLE: Final = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
CALLBACK: Final = "ssl_asr.serving.server.proxied.middlewares"
FAULT: Final = "the machine of this session has gone; connect again"
_CODE = 1011


class EndTold:
    """Around a proxy's application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        is_open = False

        async def told(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] in ("websocket.accept", "websocket.send")
            await send(message)

        async def heard() -> Message:
            nonlocal is_open
            message = await receive()
            is_open = is_open and message["type"] != "websocket.disconnect"
            return message

        try:
            await self._app(scope, heard, told)
        finally:
            if is_open:
                text = json.dumps({"error": FAULT, "code": _CODE})
                await send({"type": "websocket.send", "text": text})
                await send({"type": "websocket.close", "code": _CODE, "reason": FAULT})


def middlewares() -> list[Middleware]:
    return [Middleware(EndTold)]
