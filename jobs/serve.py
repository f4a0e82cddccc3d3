"""The server of `ssl-asr serve` on a cluster, by Ray Serve: a replica a core, as many as the sessions need.

`ray job submit --working-dir . -- python jobs/serve.py BUNDLE [--max-replicas N]`. BUNDLE is a folder that all
machines reach: give an absolute path. Every machine with a replica answers on --port: / and /vosk speak Vosk's
protocol, /sherpa sherpa-onnx's, /v1 OpenAI's. Ctrl-C, SIGTERM or `ray job stop` takes it down, after its sessions.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time

from ray import serve
from ray.serve.config import AutoscalingConfig, HTTPOptions
from starlette.applications import Starlette

from ssl_asr.cli.serve import CLIENTS_A_WORKER, TOKEN
from ssl_asr.cli.values import whole
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.serving.adapting import EngineOptions
from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.server.access import Access, is_loopback
from ssl_asr.serving.server.app import create_app
from ssl_asr.serving.server.limits import Limits
from ssl_asr.serving.server.proxied import CALLBACK, VARIABLE
from ssl_asr.serving.server.service import Options, Service
from ssl_asr.store import filesystem

NAME = "ssl-asr"
_MORE_AT = 0.7  # of a replica's clients: then another replica is started
_QUEUED = 32
_POLL_SECONDS = 0.5


class Replica:
    """The application in a process of Ray's, with one worker process that computes."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def __serve_build_asgi_app__(self) -> Starlette:
        service = Service(self._options, lambda sentence: print(f"serve: {sentence}", file=sys.stderr, flush=True))
        return create_app(service)


def start(options: Options, *, replicas: tuple[int, int], host: str, port: int) -> None:
    """From `replicas` at least to at most; where Ray has been joined. Returns when the first can be used."""
    limits = options.limits
    serve.start(proxy_location="EveryNode", http_options=HTTPOptions(host=host, port=port))
    deployment = serve.deployment(
        name=NAME,
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=limits.clients + limits.uploads,
        max_queued_requests=_QUEUED,
        # A replica that is not needed any more takes nobody new, and stays until its sessions have ended.
        graceful_shutdown_timeout_s=limits.session_seconds + limits.unread_seconds,
        autoscaling_config=AutoscalingConfig(
            min_replicas=replicas[0],
            max_replicas=replicas[1],
            target_ongoing_requests=max(1, round(_MORE_AT * limits.clients)),
        ),
    )(serve.ingress()(Replica))
    serve.run(deployment.bind(options), name=NAME, route_prefix="/")


def stop() -> None:
    """Returns when the sessions have ended."""
    serve.delete(NAME, _blocking=False)
    while NAME in serve.status().applications:
        time.sleep(_POLL_SECONDS)
    serve.shutdown()


def main() -> int:
    """Until it is told to stop."""
    given = _given()
    try:
        options = Options(
            engine=EngineOptions(filesystem.absolute(given.bundle), given.int8),
            limits=Limits(clients=given.clients, session_seconds=given.session_seconds),
            access=Access(os.environ.get(TOKEN) or None, frozenset(given.allow_origin), is_loopback(given.host)),
            sherpa_rate=given.sherpa_rate,
        )
        open_bundle(options.engine.bundle).verify()  # refused here, in one sentence, rather than in every replica
        with joined({VARIABLE: CALLBACK}):
            start(options, replicas=(given.min_replicas, given.max_replicas), host=given.host, port=given.port)
            print(f"serve: ready at {given.host}, port {given.port}, of every machine with a replica", flush=True)
            _wait()
            stop()
    except Exception as error:
        if (sentence := sentence_of(error)) is None:
            raise
        print(f"serve: {sentence}", file=sys.stderr)
        return 1
    return 0


def _wait() -> None:
    """For the first signal; a second one ends at once."""
    ends = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, frame: ends.set())
    ends.wait()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.default_int_handler)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: each machine's own only")
    parser.add_argument("--port", type=whole(1, 65535), default=8000, metavar="N", help="default: 8000")
    parser.add_argument("--min-replicas", type=whole(0, 100_000), default=1, metavar="N", help="default: 1")
    parser.add_argument("--max-replicas", type=whole(1, 100_000), default=8, metavar="N", help="default: 8")
    parser.add_argument("--clients", type=int, default=CLIENTS_A_WORKER, metavar="N", help="sessions of a replica")
    parser.add_argument("--session-seconds", type=float, default=3600.0, metavar="N", help="at most; default: 3600")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="URL", help="a site that may use it")
    parser.add_argument(
        "--sherpa-rate", type=whole(4000, 384_000), default=16000, metavar="HZ", help="default: 16000"
    )
    parser.add_argument("--int8", action="store_true", help="the 8-bit network")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
