"""The options of a plan beside the recipe: amount of speech, machines and prices."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Question:
    """None means: from the recipe, from its run's measurements, or from the stated figure that the plan prints."""

    hours: float | None = None  # unlabeled
    labeled_hours: float | None = None
    test_hours: float | None = None  # dev and test each, before conditions
    gpus: int | None = None
    cpus: int | None = None
    gflops: float | None = None  # sustained by one GPU
    gbit: float | None = None  # of each machine, a second
    kills_per_hour: float | None = None  # of one machine
    recovery_seconds: float | None = None
    price_gpu_hour: float | None = None
    price_cpu_hour: float | None = None


_HELP = {
    "hours": "hours of unlabeled speech; default: the recipe's, else 1e6",
    "labeled_hours": "hours of labeled speech; default: the recipe's, else 7000",
    "test_hours": "hours of dev and of test speech; default: the recipe's, else 5",
    "gpus": "GPUs, one a machine; default: cluster.train_workers of a recipe that uses GPUs",
    "cpus": "CPU cores for features, alignments and decoding; default: from the recipe's cluster",
    "gflops": "GFLOP/s that one GPU sustains in training; default: a stated share of an A10G's peak",
    "gbit": "Gbit/s of each machine's network",
    "kills_per_hour": "how often a machine is lost, such as a spot instance: 0.05 is once in 20 hours",
    "recovery_seconds": "seconds from a loss until all workers train again",
    "price_gpu_hour": "price of an hour of a machine with one GPU",
    "price_cpu_hour": "price of an hour of a CPU core",
}
_WHOLE = ("gpus", "cpus")
_MAY_BE_ZERO = ("kills_per_hour", "recovery_seconds", "price_gpu_hour", "price_cpu_hour")


def add_options(parser: argparse.ArgumentParser) -> None:
    for field in fields(Question):
        kind = _whole if field.name in _WHOLE else _not_negative if field.name in _MAY_BE_ZERO else _positive
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=kind, metavar="N", help=_HELP[field.name])


def question_of(options: argparse.Namespace) -> Question:
    return Question(**{field.name: getattr(options, field.name) for field in fields(Question)})


def _whole(text: str) -> int:
    value = _positive(text)
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(value)


def _positive(text: str) -> float:
    value = _not_negative(text)
    if value == 0:
        raise argparse.ArgumentTypeError("give more than 0")
    return value


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is negative or infinite")
    return value
