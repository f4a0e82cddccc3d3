"""`ssl-asr serve`: its options, and what it prints."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_asr.cli import endpoint_options
from ssl_asr.cli.engine_options import add_engine_options, engine_options_of
from ssl_asr.cli.saying import say
from ssl_asr.cli.values import at_least, whole
from ssl_asr.serving.server.limits import Limits

if TYPE_CHECKING:
    from ssl_asr.serving.server.access import Access

DOES = "recognises what clients send, live or as files, over websockets and HTTP"
TOKEN = "SSL_ASR_TOKEN"
CLIENTS_A_WORKER = 16
_LIMITS = {
    "clients": f"sessions at a time; default: {CLIENTS_A_WORKER} a worker",
    "uploads": "files at a time, received, waiting or recognised",
    "message-bytes": "of one message",
    "messages-per-second": "of a client's messages with little audio; more are taken in later",
    "idle-seconds": "without a message, until a session is ended",
    "session-seconds": "of a session",
    "unread-seconds": "until a client that takes nothing is dropped",
    "drain-seconds": "that sessions may go on when the server is told to stop",
    "upload-bytes": "of a file",
    "upload-seconds": "until a file has come",
}
_PORT, _RATE, _WORKERS = whole(0, 65535), whole(4000, 384_000), whole(1, 1024)


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    command = commands.add_parser("serve", description=f"serve: {DOES}.", help=DOES)
    command.add_argument("bundle", metavar="BUNDLE", help="what `ssl-asr export` made, or a run")
    command.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1, for this machine alone"
    )
    command.add_argument(
        "--port", type=_PORT, default=2700, metavar="N", help="of Vosk's protocol and HTTP; default: 2700"
    )
    command.add_argument(
        "--sherpa-port", type=_PORT, default=6006, metavar="N", help="of sherpa-onnx's protocol; default: 6006"
    )
    command.add_argument(
        "--sherpa-rate", type=_RATE, default=16000, metavar="HZ", help="that its clients send; default: 16000"
    )
    command.add_argument("--workers", type=_WORKERS, metavar="N", help="processes for sessions; default: one a core")
    command.add_argument(
        "--upload-workers", type=_WORKERS, default=1, metavar="N", help="processes for files; default: 1"
    )
    _add_access(command)
    add_engine_options(command)
    endpoint_options.add_endpoint_options(command)
    _add_limits(command)


def _add_access(command: argparse.ArgumentParser) -> None:
    """Who may use it, and how what they say is kept from others."""
    command.add_argument(
        "--token-file", metavar="FILE", help=f"the token that clients need; default: the variable {TOKEN}, else none"
    )
    command.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="a site whose pages may use it; default: its own alone",
    )
    command.add_argument(
        "--certificate", metavar="PEM", help="for TLS, with all between it and its root; default: no TLS"
    )
    command.add_argument("--key", metavar="PEM", help="of the certificate, where that file does not hold it")


def _add_limits(command: argparse.ArgumentParser) -> None:
    limits = command.add_argument_group("limits, each the largest value allowed")
    for name, does in _LIMITS.items():
        default = "" if name == "clients" else f"; default: {getattr(Limits(), name.replace('-', '_')):.10g}"
        limits.add_argument(f"--{name}", type=at_least(0.0), metavar="N", help=f"{does}{default}")


def run(options: argparse.Namespace) -> None:
    """Until the server is told to stop. ValueError if it can't start."""
    try:
        from ssl_asr.serving.server.running import Place, serve
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing; install it with: pip install 'ssl-asr[serve]'") from None
    from ssl_asr.serving.server.service import Options

    workers = len(os.sched_getaffinity(0)) if options.workers is None else options.workers
    chosen = Options(
        engine=engine_options_of(options),
        limits=_limits(options, workers),
        access=_access(options),
        endpoints=endpoint_options.endpoints_of(options),
        workers=workers,
        upload_workers=options.upload_workers,
        sherpa_rate=options.sherpa_rate,
    )
    place = Place(options.host, options.port, options.sherpa_port, options.certificate, options.key)
    serve(chosen, place, say)


def _limits(options: argparse.Namespace, workers: int) -> Limits:
    given = {field.name: getattr(options, field.name) for field in fields(Limits)}
    whole = {field.name for field in fields(Limits) if field.type == "int"}
    values = {name: int(value) if name in whole else value for name, value in given.items() if value is not None}
    return Limits(**{"clients": CLIENTS_A_WORKER * workers, **values})


def _access(options: argparse.Namespace) -> Access:
    from ssl_asr.serving.server.access import Access, is_loopback

    token = os.environ.get(TOKEN)
    if options.token_file:
        try:
            token = Path(options.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the token can't be read from {options.token_file} ({error})") from None
    if token is not None and not token:
        raise ValueError(f"the token is empty; write one into --token-file or {TOKEN}")
    loopback = is_loopback(options.host)
    if not loopback and token is None:
        say(f"anybody who reaches {options.host} may use this server; --token-file or {TOKEN} asks for a token")
    return Access(token, frozenset(options.allow_origin), loopback)
