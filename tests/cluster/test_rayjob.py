"""docs/kuberay/rayjob.yaml has only fields that a RayJob has, with values of their types, and asks for what is meant.

What is allowed stands in rayjob_fields.json, a list written by hand after KubeRay's and Kubernetes' types, whose own
schema has 1.2 MB. It is a part of that schema: what it lets by is in the schema as far as we read it, but no cluster
has seen the manifest.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from ray.scripts.scripts import cli

from ssl_asr.recipe import load_recipe

ROOT = Path(__file__).parents[2]
FIELDS = json.loads(Path(__file__).with_name("rayjob_fields.json").read_text())


@pytest.fixture
def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "docs/kuberay/rayjob.yaml").read_text()))


@pytest.fixture
def job(documents) -> dict[str, Any]:
    return documents[0]


@pytest.fixture
def groups(job) -> dict[str, dict[str, Any]]:
    return {group["groupName"]: group for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"]}


def test_has_only_known_fields(job):
    jsonschema.Draft202012Validator.check_schema(FIELDS)
    jsonschema.validate(job, FIELDS)


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("spec", "entryPoint", "ssl-asr run"),
        ("spec", "submissionMode", "http"),
        ("spec.rayClusterSpec", "enableInTreeAutoscaling", "yes"),
        ("spec.rayClusterSpec.authOptions", "mode", "tokens"),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams", "num-cpus", 0),
        ("spec.rayClusterSpec.workerGroupSpecs.0", "maxReplicas", "64"),
        ("spec.rayClusterSpec.workerGroupSpecs.0.template.spec", "terminationGracePeriod", 110),
        ("spec.rayClusterSpec.workerGroupSpecs.0.template.spec.containers.0.resources.limits", "memory", "28 GB"),
    ],
)
def test_refuses_what_a_cluster_would(job, place, key, value):
    broken = copy.deepcopy(job)
    inner: Any = broken
    for step in place.split("."):
        inner = inner[int(step)] if step.isdigit() else inner[step]
    inner[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, FIELDS)


def test_is_elastic_on_spot_with_a_token(job, groups):
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == version("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert cluster["headGroupSpec"]["enableIngress"] is False
    paper = load_recipe("paper").cluster
    gpu = groups["gpu"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert gpu["nvidia.com/gpu"] == "1"
    assert paper.cpus_per_worker <= float(gpu["cpu"])
    assert paper.train_workers[1] <= groups["gpu"]["maxReplicas"]
    for group in groups.values():
        assert group["replicas"] == group["minReplicas"] == 0
        assert "SPOT" in group["template"]["spec"]["nodeSelector"].values()


def test_every_pod_has_the_role_and_no_key(job, groups):
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert {each["serviceAccountName"] for each in [head, *(g["template"]["spec"] for g in groups.values())]} == {
        "ssl-asr"
    }
    assert not re.search("AWS_|SECRET|ACCESS_KEY", (ROOT / "docs/kuberay/rayjob.yaml").read_text())


def test_the_hook_drains_by_a_command_that_ray_has(groups):
    pod = groups["gpu"]["template"]["spec"]
    (_, _, line) = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    drain, wait = line.split("; ")
    # Ray reads all options before it looks for a cluster, which an address without a port can't be.
    refused = CliRunner().invoke(cli, [*shlex.split(drain)[1:], "--address", "nowhere"])
    assert refused.exit_code != 0
    assert "No such option" not in refused.output
    assert "Invalid value" not in refused.output
    assert int(wait.split()[1]) < pod["terminationGracePeriodSeconds"] < 120


def test_only_the_jobs_own_pods_reach_it(documents, job):
    policy = documents[1]
    labels = policy["spec"]["podSelector"]["matchLabels"]
    cluster = job["spec"]["rayClusterSpec"]
    templates = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for template in [job["spec"]["submitterPodTemplate"], *(each["template"] for each in templates)]:
        assert template["metadata"]["labels"] == labels
    assert policy["spec"]["policyTypes"] == ["Ingress"]
