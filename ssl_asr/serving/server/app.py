"""The server as one Starlette application, for uvicorn here and for Ray Serve on a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from ssl_asr.serving.server import openai, sherpa, vosk
from ssl_asr.serving.server.limits import Kind, Refusal
from ssl_asr.serving.server.service import Converse, Service

_STATIC = Path(__file__).parent / "static"
# Nothing of other sites, and no other site's frame around it.
_POLICY = "default-src 'self'; img-src data:; frame-ancestors 'none'"
_Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(service: Service, sherpa_port: int | None = None) -> Starlette:
    """Its life is the service's: both start and close with it.

    Vosk's and sherpa-onnx's clients ask for the same path, so the port tells them apart. Where there is one port, /
    speaks Vosk's protocol, and /sherpa the other one.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.close()

    on_vosk = _speaks(service, "vosk", vosk.converse)
    on_sherpa = _speaks(service, "sherpa", sherpa.speaker(service.options.sherpa_rate))

    async def root(websocket: WebSocket) -> None:
        is_sherpa = sherpa_port is not None and websocket.scope["server"][1] == sherpa_port
        await (on_sherpa if is_sherpa else on_vosk)(websocket)

    routes = [
        WebSocketRoute("/", root),
        WebSocketRoute("/vosk", on_vosk),
        WebSocketRoute("/sherpa", on_sherpa),
        WebSocketRoute("/{path:path}", _speaks(service, "", None)),
        Route("/v1/audio/transcriptions", _answers(service, openai.transcriptions), methods=["POST"]),
        Route("/v1/models", _answers(service, openai.models)),
        Route("/", _page),
        Mount("/static", StaticFiles(directory=_STATIC)),
        Route("/healthz", _answers(service, _health)),
        Route("/metrics", _answers(service, _metrics)),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _not_found, 405: _not_found})


async def _not_found(request: Request, error: Exception) -> Response:
    """Also of a method that a path does not know."""
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.scope['path'][:50]}"
    known = "is unknown; / is a page, /v1/audio/transcriptions takes files"
    if allowed := (error.headers or {}).get("Allow"):
        known = f"is not possible; use {' or '.join(sorted(allowed.split(', ')))}"
    response = _refused(Refusal(Kind.PATH, f"{asked} {known}"))
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response


def _speaks(service: Service, protocol: str, converse: Converse | None) -> Callable[[WebSocket], Awaitable[None]]:
    async def endpoint(websocket: WebSocket) -> None:
        await service.host(websocket, protocol, converse)

    return endpoint


async def _page(request: Request) -> Response:
    return FileResponse(_STATIC / "page.html", headers={"Content-Security-Policy": _POLICY})


async def _health(service: Service, request: Request) -> Response:
    state = "draining" if service.is_draining else "ok" if service.is_healthy else "no worker"
    figures = {"status": state, "clients": service.clients, "uploads": service.uploads}
    return JSONResponse(figures, 200 if service.is_healthy else 503)


async def _metrics(service: Service, request: Request) -> Response:
    service.options.access.check(request)
    return Response(service.page(), media_type="text/plain; version=0.0.4")


def _answers(service: Service, answer: Callable[[Service, Request], Awaitable[Response]]) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(service, request)
        except Refusal as refusal:
            service.metrics.refusals.labels(refusal.kind.label).inc()
            return _refused(refusal)

    return endpoint


def _refused(refusal: Refusal) -> Response:
    """In the form of OpenAI's errors."""
    kind = "server_error" if refusal.kind.status >= 500 else "invalid_request_error"
    error = {"message": str(refusal), "type": kind, "param": None, "code": refusal.kind.label}
    return JSONResponse({"error": error}, refusal.kind.status)
