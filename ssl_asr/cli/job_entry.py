"""The command line as a Ray job: it differs only in the place of a relative `run`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

# Set by Ray for the entry point of a submitted job (ray.dashboard.modules.job.job_supervisor).
JOB_MARK = "RAY_JOB_CONFIG_JSON_ENV_VAR"
HOME = "~/ssl_asr"


def main(command: str) -> None:
    """`ssl-asr COMMAND` with this process's arguments; exits as it would, and any code but 0 fails the job."""
    from ssl_asr.cli import main as cli

    sys.exit(cli.main([command, *sys.argv[1:], *kept_run(sys.argv[1:], os.environ)]))


def experiment() -> None:
    """`ssl-asr experiment` with this process's arguments; exits as `main`."""
    from ssl_asr.cli import main as cli

    sys.exit(cli.main(["experiment", *kept_study(sys.argv[1:], os.environ)]))


def kept_study(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The arguments with folders of runs and pages that outlive the job's folder: relative ones as of `kept_run`."""
    from ssl_asr.cli.experiment import OUT, RUNS

    if JOB_MARK not in environment:
        return list(arguments)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runs", default=RUNS)
    parser.add_argument("-o", "--out", default=OUT)
    folders, others = parser.parse_known_args(list(arguments))
    home = _home(environment)
    kept = {name: each if "://" in each else os.path.join(home, each) for name, each in vars(folders).items()}
    return [*others, "--runs", kept["runs"], "--out", kept["out"]]


def kept_run(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The override that moves a relative `run` out of the job's folder, which Ray deletes; [] if none is needed.

    The run is placed below $SSL_ASR_HOME (default ~/ssl_asr) on the head node. With several machines, give a `run`
    that all of them can reach: `run=s3://...` or a shared folder.
    """
    from ssl_asr.recipe import load_recipe

    if JOB_MARK not in environment:
        return []
    overrides = [word for word in arguments[1:] if not word.startswith("-")]
    try:
        run = load_recipe(arguments[0], overrides).run
    except (IndexError, ValueError):
        return []  # the command line itself will say what is wrong
    inside = os.path.relpath(run, os.getcwd())
    if "://" in run or inside.startswith(".."):
        return []
    return [f"run={os.path.join(_home(environment), inside)}"]


def _home(environment: Mapping[str, str]) -> str:
    """The folder on the head node that outlives a job."""
    return os.path.expanduser(environment.get("SSL_ASR_HOME", HOME))
