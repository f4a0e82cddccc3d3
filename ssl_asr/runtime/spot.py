"""Drains this machine's Ray node at a preemption notice: AWS will take the spot instance back.

`python -m ssl_asr.runtime.spot` runs beside `ray start` on every spot node (cluster.yaml), with RAY_ADDRESS and, if
Ray uses one, the token. A drained node gets no more work, the autoscaler requests another node, and training takes a
checkpoint in the two minutes that are left.

Rebalance recommendations are ignored: many come without a later notice, and draining at one gives up an instance that
would have continued to work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ENDPOINT = "http://169.254.169.254"
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"  # the AWS SDKs read it too
POLL_SECONDS = 5.0  # as AWS advises
TIMEOUT_SECONDS = 2.0
LARGEST_ANSWER = 65536  # bytes


@dataclass(frozen=True)
class Notice:
    """`action` is terminate, stop or hibernate; `time` is when it happens, None if AWS does not say."""

    action: str
    time: datetime | None

    def seconds_left(self, now: datetime) -> int:
        """Whole seconds, never negative; 0 for an action without a time, such as hibernate: it may begin at once."""
        return max(0, int((self.time - now).total_seconds())) if self.time is not None else 0


def parse_notice(text: str) -> Notice:
    """Parses spot/instance-action of the instance metadata; ValueError if it is not a notice."""
    try:
        said = json.loads(text)
        at = datetime.fromisoformat(said["time"]) if "time" in said else None
        return Notice(str(said["action"]), at.replace(tzinfo=at.tzinfo or UTC) if at is not None else None)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"spot/instance-action of the instance metadata is not a notice: {text[:200]!r}") from error


def own_node_id(nodes: Iterable[Mapping[str, Any]], address: str) -> str:
    """Id of the one living node of `ray.nodes` at this address; ValueError unless there is exactly one."""
    found = [str(node["NodeID"]) for node in nodes if node["Alive"] and node["NodeManagerAddress"] == address]
    if len(found) != 1:
        raise ValueError(f"{address} has {len(found)} living Ray nodes instead of one; does `ray start` run here?")
    return found[0]


class Metadata:
    """The instance metadata service, version 2."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        # The service is on the machine itself, so no proxy is used.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def notice(self) -> Notice | None:
        text = self.get("spot/instance-action")
        return parse_notice(text) if text is not None else None

    def address(self) -> str:
        """The private address, by which Ray knows the node; ValueError if there is none."""
        address = self.get("local-ipv4")
        if address is None:
            raise ValueError(f"{self.endpoint} has no local-ipv4; is this an EC2 instance?")
        return address

    def get(self, path: str) -> str | None:
        """The text at `path`, None if there is none; OSError if the service cannot be reached."""
        token = self._request("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        try:
            return self._request("GET", f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": token})
        except urllib.error.HTTPError as refusal:
            if refusal.code == 404:
                return None
            raise

    def _request(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(self.endpoint + path, headers=headers, method=method)
        with self.opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read(LARGEST_ANSWER).decode().strip())


def drain(node_id: str, notice: Notice) -> None:
    """Drains the node by Ray's own command; CalledProcessError if the head does not accept it."""
    subprocess.run(
        [
            *(Path(sys.executable).with_name("ray"), "drain-node", "--node-id", node_id),
            *("--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", f"spot notice: {notice.action}"),
            *("--deadline-remaining-seconds", str(notice.seconds_left(datetime.now(UTC)))),
        ],
        check=True,
        timeout=30,
    )


def living_nodes() -> list[Mapping[str, Any]]:
    """Nodes of the cluster at RAY_ADDRESS. Ray is imported only here, because it takes memory on every node."""
    import ray

    ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
    try:
        return list(ray.nodes())
    finally:
        ray.shutdown()


def watch(metadata: Metadata) -> None:
    """Returns when a notice has come and the node is drained; failures are logged and retried."""
    said = ""
    while True:
        try:
            notice = metadata.notice()
            if notice is not None:
                node_id = own_node_id(living_nodes(), metadata.address())
                drain(node_id, notice)
                _say(f"drained {node_id}: {notice.action} at {notice.time}")
                return
        except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
            sentence = f"{type(error).__name__}: {error}"
            if sentence != said:  # the log must not grow while nothing changes
                _say(sentence)
            said = sentence
        time.sleep(POLL_SECONDS)


def _say(sentence: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {sentence}", flush=True)


def main() -> None:
    endpoint = os.environ.get(ENDPOINT_VARIABLE) or ENDPOINT
    _say(f"watching {endpoint} for a preemption notice")
    watch(Metadata(endpoint))


if __name__ == "__main__":
    main()
