"""A spot notice drains the node: a real watcher, real Ray, and a server that speaks as the instance metadata does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex

import pytest

from ssl_asr.runtime.spot import ENDPOINT_VARIABLE, Metadata, Notice, own_node_id, parse_notice
from tests.cluster.processes import descendants, end_all

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
TOKEN = "of-this-instance"
ADDRESS = "127.0.0.2"  # of the node; the head has 127.0.0.1


@dataclass
class InstanceMetadata:
    """What the service answers; anything else is 404, and without the token 401, as on an instance."""

    endpoint: str
    said: dict[str, str] = field(default_factory=lambda: {"local-ipv4": ADDRESS})
    asked: list[str] = field(default_factory=list)


@contextmanager
def instance_metadata() -> Iterator[InstanceMetadata]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            wants_token = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
            self._answer(200, TOKEN) if wants_token else self._answer(400, "")

        def do_GET(self) -> None:
            name = self.path.removeprefix("/latest/meta-data/")
            metadata.asked.append(name)
            if self.headers["X-aws-ec2-metadata-token"] != TOKEN:
                self._answer(401, "")
            elif name in metadata.said:
                self._answer(200, metadata.said[name])
            else:
                self._answer(404, "")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        metadata = InstanceMetadata(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield metadata
        server.shutdown()


def test_a_notice_says_what_and_when():
    notice = parse_notice('{"action": "terminate", "time": "2026-03-01T12:01:58Z"}')
    assert notice == Notice("terminate", NOW + timedelta(seconds=118))
    assert notice.seconds_left(NOW) == 118
    assert notice.seconds_left(NOW + timedelta(seconds=0.5)) == 117
    assert notice.seconds_left(NOW + timedelta(hours=1)) == 0
    assert parse_notice('{"action": "hibernate"}').seconds_left(NOW) == 0
    assert parse_notice('{"action": "stop", "time": "2026-03-01T12:01:58"}').seconds_left(NOW) == 118


@pytest.mark.parametrize(
    "text", ["", "none", "[]", '{"time": "2026-03-01T12:01:58Z"}', '{"action": "stop", "time": 3}']
)
def test_what_is_no_notice_is_refused(text):
    with pytest.raises(ValueError, match="spot/instance-action"):
        parse_notice(text)


def test_the_own_node_is_the_living_one_at_the_address():
    def node(node_id: str, address: str, alive: bool = True) -> dict[str, object]:
        return {"NodeID": node_id, "NodeManagerAddress": address, "Alive": alive}

    nodes = [node("head", "10.0.0.1"), node("dead", "10.0.0.2", alive=False), node("own", "10.0.0.2")]
    assert own_node_id(nodes, "10.0.0.2") == "own"
    with pytest.raises(ValueError, match=r"10\.0\.0\.3 has 0 living Ray nodes"):
        own_node_id(nodes, "10.0.0.3")
    with pytest.raises(ValueError, match="2 living Ray nodes"):
        own_node_id([*nodes, node("other", "10.0.0.2")], "10.0.0.2")


def test_the_service_is_asked_with_a_token_and_past_proxies(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with instance_metadata() as metadata:
        service = Metadata(metadata.endpoint + "/")
        assert service.notice() is None
        assert service.address() == ADDRESS
        metadata.said["spot/instance-action"] = '{"action": "stop", "time": "2026-03-01T12:01:58Z"}'
        assert service.notice() == Notice("stop", NOW + timedelta(seconds=118))
    with pytest.raises(OSError, match="refused"):
        service.notice()


# In a process of its own, as Ray is: an actor keeps the node busy, so that it drains until the actor goes.
CLUSTER = """
import sys, time
import ray
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
head = {**node, "node_ip_address": "127.0.0.1", "temp_dir": sys.argv[1], "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
spot = cluster.add_node(**node, node_ip_address="127.0.0.2", resources={"spot": 1})
try:
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    class Busy:
        def at_work(self):
            return True
    busy = ray.remote(num_cpus=0, resources={"spot": 0.5})(Busy).remote()
    assert ray.get(busy.at_work.remote())
    print("address", cluster.address, flush=True)
    while spot.node_id not in (draining := ray._private.state.state.get_draining_nodes()):
        time.sleep(0.1)
    print("deadline", draining[spot.node_id], flush=True)
    assert ray.get(busy.at_work.remote())
    ray.kill(busy)
    while any(node["Alive"] and node["NodeID"] == spot.node_id for node in ray.nodes()):
        time.sleep(0.1)
    print("alive", *[node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]], flush=True)
finally:
    ray.shutdown()
    for each in (spot, cluster.head_node):
        each.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
"""


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        below = descendants(started.pid)
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(10)
        started.kill()
        started.wait()
        end_all(below)


@pytest.mark.timeout(120)
def test_a_notice_drains_the_node():
    loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
    with (
        instance_metadata() as metadata,
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        process(sys.executable, "-c", CLUSTER, folder, **loopback) as cluster,
    ):
        address = told(cluster, "address")
        environment = {"RAY_ADDRESS": address, ENDPOINT_VARIABLE: metadata.endpoint, **loopback}
        with process(sys.executable, "-m", "ssl_asr.runtime.spot", **environment) as watcher:
            wait_until(lambda: metadata.asked.count("spot/instance-action") >= 1)
            takes_place = datetime.now(UTC) + timedelta(seconds=120)
            metadata.said["spot/instance-action"] = f'{{"action": "terminate", "time": "{takes_place:%FT%TZ}"}}'
            deadline = int(told(cluster, "deadline")) / 1000
            assert watcher.wait(30) == 0
        assert told(cluster, "alive") == "127.0.0.1"
        assert cluster.wait(30) == 0
    # Whole seconds are rounded down, and the command itself takes some after they were counted.
    assert takes_place.timestamp() - 3 <= deadline <= takes_place.timestamp() + 10
    assert "events/recommendations/rebalance" not in metadata.asked


def told(cluster: subprocess.Popen[str], what: str) -> str:
    """The rest of the next line that begins so; Ray prints lines of its own between."""
    for line in cluster.stdout:
        if line.startswith(f"{what} "):
            return line.removeprefix(f"{what} ").strip()
    raise AssertionError(f"the cluster ended before it told its {what}")


def wait_until(happened, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)
