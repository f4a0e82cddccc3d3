"""A Ray cluster of a head and some nodes in one machine, whose processes are known by their ids and all ended.

`Cluster.add_node` works in the main thread only, and Ray ends whichever process had a cluster that is gone: what uses
this is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from ray._private.node import Node
from ray.cluster_utils import Cluster

from tests.cluster.processes import Process, descendants, end_all, kill, named, process, title

WORKER_NODES = 2
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}
# A dead node, which refuses at once, is noticed after 2 s instead of 15; a busy one has Ray's 10 s to answer.
NOTICE = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 3}


class Nodes:
    """The cluster, and every process that it ever had."""

    def __init__(self, folder: str, workers: int) -> None:
        head = {**NODE, "temp_dir": folder, "_system_config": NOTICE}
        head |= {"include_dashboard": False, "include_log_monitor": False}  # drivers don't ask for logs of workers
        self.cluster = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
        self.workers = [self.cluster.add_node(**NODE) for _ in range(workers)]
        self.seen: set[Process] = set()

    @property
    def environment(self) -> dict[str, str]:
        """A driver's; unless told that there is but one machine, Ray looks for the head at its outer address."""
        return {**os.environ, "RAY_ADDRESS": self.cluster.address, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

    def actors(self) -> list[Process]:
        """Teacher actors on all nodes, by id."""
        return self._titled("MapWorker")

    def train_workers(self) -> list[Process]:
        """Training workers on all nodes, by id."""
        return self._titled("RayTrainWorker")

    def _titled(self, name: str) -> list[Process]:
        below = {one for node in [self.cluster.head_node, *self.workers] for one in descendants(raylet(node))}
        self.seen |= below
        return sorted(one for one in below if name in title(one.pid))

    def add_node(self) -> None:
        self.workers.append(self.cluster.add_node(**NODE))

    def lose_node(self, index: int) -> int:
        """SIGKILL the raylet of a worker node; returns the id."""
        node, victim = self._give_up(index)
        kill(victim)
        self.cluster.remove_node(node, allow_graceful=False)  # what else the node consists of
        return victim.pid

    def kill_node(self, index: int) -> int:
        """Lose a node and put a new one in its place; returns the id of the raylet lost."""
        pid = self.lose_node(index)
        self.workers.insert(index, self.cluster.add_node(**NODE))
        return pid

    def drain_node(self, index: int, seconds: int) -> None:
        """Give notice, as for a spot machine, and take it away after so many seconds."""
        node, victim = self._give_up(index)
        options = {"address": self.cluster.address, "node-id": node.node_id, "reason": "DRAIN_NODE_REASON_PREEMPTION"}
        options |= {"reason-message": "spot", "deadline-remaining-seconds": str(seconds)}
        command = [Path(sys.executable).with_name("ray"), "drain-node"]
        command += [f"--{name}={value}" for name, value in options.items()]
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, timeout=60)
        Timer(seconds, kill, [victim]).start()

    def _give_up(self, index: int) -> tuple[Node, Process]:
        """A worker node, no longer counted, and its raylet."""
        node = self.workers.pop(index)
        victim = process(raylet(node))
        assert victim is not None, "a node died by itself"
        self.seen |= {victim, *descendants(victim.pid)}
        return node, victim

    def end(self) -> None:
        self.actors()
        for node in [*self.workers, self.cluster.head_node]:
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        assert not end_all(self.seen), "processes outlived SIGKILL"


def raylet(node: Node) -> int:
    (info,) = node.all_processes["raylet"]
    return int(info.process.pid)


@contextmanager
def nodes(workers: int = WORKER_NODES) -> Iterator[Nodes]:
    # Sockets below it have long names, and a socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        try:
            started = Nodes(folder, workers)
        except BaseException:
            end_all(named(folder))
            raise
        try:
            yield started
        finally:
            started.end()
