"""cluster.yaml passes both of Ray's checks, and each check would have caught a mistake that the other lets by."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
import ray
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from ssl_asr.runtime.spot import ENDPOINT_VARIABLE
from tests.cluster.processes import descendants, end_all, process, title

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def prepared(config: dict[str, Any]) -> dict[str, Any]:
    ready = prepare_config(copy.deepcopy(config))
    validate_config(ready)
    return ready


def test_passes_both_checks(config):
    jsonschema.validate(config, SCHEMA)
    nodes = prepared(config)["available_node_types"]
    # The default is an Ubuntu 18.04, whose C library no current wheel runs on.
    assert all("ubuntu-22.04" in node["node_config"]["ImageId"] for node in nodes.values())
    assert nodes["head"]["resources"] == {"CPU": 0}
    assert nodes["train"]["resources"]["GPU"] == 1
    for name in ("data", "train"):
        assert nodes[name]["min_workers"] == 0
        assert nodes[name]["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
        assert nodes[name]["node_config"]["MetadataOptions"] == {"HttpTokens": "required"}


def test_worker_nodes_watch_for_the_spot_notice(config, tmp_path):
    """The line that Ray gives to a node's shell goes on in the background, and once only."""
    (line,) = [each for each in config["worker_start_ray_commands"] if "ssl_asr.runtime.spot" in each]
    log, lock = tmp_path / "spot.log", tmp_path / "spot.lock"
    line = line.replace("/tmp/ssl_asr_spot.log", str(log)).replace("/tmp/ssl_asr_spot.lock", str(lock))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    nothing = {**os.environ, "PATH": path, "RAY_HEAD_IP": "127.0.0.1", ENDPOINT_VARIABLE: "http://127.0.0.1:9"}
    subprocess.run(["bash", "-c", f"({line})"], cwd=ROOT, env=nothing, check=True, timeout=20)
    until = time.monotonic() + 20
    while "refused" not in (log.read_text() if log.exists() else "") and time.monotonic() < until:
        time.sleep(0.1)
    holders = [pid for pid in psutil.pids() if str(lock) in title(pid)]
    held = subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 1
    end_all([*filter(None, map(process, holders)), *(one for pid in holders for one in descendants(pid))])
    assert "watching http://127.0.0.1:9" in log.read_text()
    assert "refused" in log.read_text()
    assert held


def test_all_of_ray_asks_for_the_token(config):
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    for line in starts:
        assert line == "ray stop" or line.startswith("export RAY_AUTH_MODE=token")
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


def test_paper_preset_fits_the_cluster(config):
    from ssl_asr.recipe import load_recipe

    paper = load_recipe("paper")
    assert paper.cluster.train_workers[1] <= config["available_node_types"]["train"]["max_workers"]
    assert paper.cluster.cpus_per_worker <= config["available_node_types"]["train"]["resources"]["CPU"]


@pytest.mark.parametrize("change", ["typo", "no_name"])
def test_raw_schema_refuses(config, change):
    broken = {"idle_timeout_min": 3, **config} if change == "typo" else {**config}
    if change == "no_name":
        del broken["cluster_name"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


def test_prepared_check_refuses_what_the_raw_schema_lets_by(config):
    config["head_node_type"] = "haed"
    jsonschema.validate(config, SCHEMA)
    with pytest.raises(Exception, match="head_node_type"):
        prepared(config)


def test_installs_the_pins(config):
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    torch_pin = next(line for line in pins if line.startswith("torch=="))
    assert any(torch_pin in command for command in config["setup_commands"])
    assert "127.0.0.1" in " ".join(config["head_start_ray_commands"])
