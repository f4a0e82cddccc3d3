"""Labelling on a cluster that begins as a head alone, grows, loses a node, replaces it and shrinks to the head.

Ray's own provider of nodes for tests starts and ends them on this machine, as a cloud's would elsewhere; what decides
is the autoscaler that `ray up` and KubeRay use (version 2). `python -m tests.cluster.autoscaling RECIPE LOG`, the
recipe as JSON, is a process of its own, as a process has but one Ray and one token, which is in its environment
before it begins (`client_environment`). It prints what happened.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from ssl_asr.recipe import Recipe
from tests.cluster.head import Head, free_port, started_head
from tests.cluster.processes import descendants, end_all, kill, title
from tests.labelling.conftest import target_store
from tests.labelling.test_kill_and_resume import STAGE

WORKERS = 2
# Nodes of that provider are told from each other by ids that it deals out; the head's is agreed on.
HEAD_ID = "f" * 51 + "00000"
NODE_ID = "RAY_OVERRIDE_NODE_ID_FOR_TESTING"
IDLE_MINUTES = 0.1
# A dead node is noticed after 2 s instead of 15.
NOTICE = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
PATIENCE_SECONDS = 60.0


@dataclass
class Autoscaled:
    """One run of the stage; `seen` are the ids of all worker nodes that ever lived."""

    head: Head
    recipe: Recipe
    log: Path
    seen: set[str] = field(default_factory=set)

    def run(self) -> None:
        self.began = time.monotonic()
        self._say("began", self.workers() == set())
        with self._driver() as driver:
            self._wait("grown", lambda: len(self.workers()) == WORKERS, driver)
            self._wait("labelling", lambda: self._labelled() > 0, driver)
            lost = self._kill_node(sorted(self.workers())[0])
            self._wait("lost", lambda: lost not in self.workers(), driver)
            self._wait("replaced", lambda: len(self.workers() - {lost}) == WORKERS, driver)
            assert driver.wait() == 0, f"the stage failed: {self.log.read_text()[-3000:]}"
        self._say("labelled", self._labelled())
        self._wait("shrunk", lambda: self.workers() == set())

    def workers(self) -> set[str]:
        """Ids of the worker nodes that live, as the cluster knows them."""
        alive = {str(node["NodeID"]) for node in ray.nodes() if node["Alive"]} - {HEAD_ID}
        self.seen |= alive
        return alive

    def _kill_node(self, node_id: str) -> str:
        """SIGKILL of its raylet, then of all that the raylet had started."""
        (raylet,) = [one for one in self.head.processes() if is_raylet_of(one.pid, node_id)]
        below = descendants(raylet.pid)
        assert kill(raylet)
        end_all(below)
        self._say("killed", node_id)
        return node_id

    @contextmanager
    def _driver(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-c", STAGE, self.recipe.model_dump_json()]
        environment = {**os.environ, "RAY_ADDRESS": self.head.address}
        with self.log.open("w") as log:
            driver = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield driver
        finally:
            driver.kill()
            driver.wait()

    def _labelled(self) -> int:
        entries = Path(self.recipe.run) / "ledger" / target_store(self.recipe).name / "unlabeled"
        return sum(name.endswith(".json") for name in os.listdir(entries)) if entries.exists() else 0

    def _wait(self, event: str, happened: Callable[[], bool], driver: subprocess.Popen[bytes] | None = None) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            assert time.monotonic() < until, f"not {event} in time: {self.log.read_text()[-3000:]}"
            assert driver is None or driver.poll() is None, f"ended before: {event}; {self.log.read_text()[-3000:]}"
            time.sleep(0.1)
        self._say(event, len(self.workers()))

    def _say(self, event: str, value: object) -> None:
        seconds = round(time.monotonic() - self.began, 1)
        print(json.dumps({"event": event, "value": value, "seconds": seconds}), flush=True)


def is_raylet_of(pid: int, node_id: str) -> bool:
    program, *options = title(pid).split("\0")
    return Path(program).name == "raylet" and f"--node_id={node_id}" in options


def autoscaling_config(address: str) -> dict[str, Any]:
    """What `ray up` would have written, for nodes of this machine."""
    return {
        "cluster_name": "test",
        "max_workers": WORKERS,
        "idle_timeout_minutes": IDLE_MINUTES,
        "upscaling_speed": 100.0,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
        },
        "head_node_type": "ray.head.default",  # that provider's name for it
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {
                "resources": {"CPU": 1, "object_store_memory": 100 * 2**20},
                "node_config": {},
                "min_workers": 0,
                "max_workers": WORKERS,
            },
        },
        **{name: [] for name in ("initialization_commands", "setup_commands", "head_setup_commands")},
        **{name: [] for name in ("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands")},
        **{name: [] for name in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
        **{name: {} for name in ("auth", "docker", "file_mounts")},
        "file_mounts_sync_continuously": False,
    }


@contextmanager
def autoscaling_head() -> Iterator[Head]:
    port = free_port()
    environment = {
        **os.environ,
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        NODE_ID: HEAD_ID,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(autoscaling_config(f"127.0.0.1:{port}"), file)
        file.flush()
        options = [f"--autoscaling-config={file.name}", f"--system-config={json.dumps(NOTICE)}"]
        with started_head(*options, cpus=0, port=port, environment=environment) as head:
            yield head


def main(recipe_json: str, log: str) -> None:
    # So that the cluster is ended, too, where the test is given up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with autoscaling_head() as head:
        ray.init(address=head.address, logging_level="ERROR", log_to_driver=False)
        try:
            Autoscaled(head, Recipe.model_validate_json(recipe_json), Path(log)).run()
        finally:
            ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
