"""Stages without Ray: the same jobs, trainings and decodings, one after the other in this process.

For tests of what stages decide. That Ray places the very same work is what the tests of each stage show.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from ssl_asr.frontend.prior import Prior, measure_prior
from ssl_asr.hmm.chunks import ChunkSource, readable_chunk
from ssl_asr.hmm.flat_start import MapChunks
from ssl_asr.labelling.calibration_file import Calibration, measure
from ssl_asr.recipe import Cluster, Recipe
from ssl_asr.store import utterance
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.simulated import train_simulated


def shard_by_shard(
    what: str, shards: Sequence[Shard], make_job: Callable[[], Callable[[Shard], object]], **_: object
) -> list[Reject]:
    failed = []
    job = make_job() if shards else None
    for shard in shards:
        try:
            assert job is not None
            job(shard)
        except ValueError as error:
            failed.append(Reject(shard.name, str(error)))
    return failed


def in_series(sources: Sequence[ChunkSource]) -> MapChunks:
    def map_chunks(function: Any, *arguments: Any) -> list[Any]:
        return [function(readable_chunk(source), *arguments) for source in sources]

    return map_chunks


@dataclass
class _Curve:
    records: list[Record]


def fit_here(job: TrainingJob, cluster: Cluster) -> _Curve:
    train_simulated(job, cluster.train_workers[0])
    return _Curve(read_curve(job.run, job.name))


def _prior(recipe: Recipe) -> Prior:
    return measure_prior(recipe, ShardStore(recipe.run, utterance.STORE).shards("labeled"))


def _calibration(recipe: Recipe, parents: tuple[str, ...]) -> Calibration:
    return measure(recipe, parents)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class Here:
    """Of Ray what the evaluate stage uses: tasks that are done when they are asked for."""

    ObjectRef = object

    @staticmethod
    def remote(**_: object) -> Callable[[Callable[..., Any]], Any]:
        def wrap(function: Callable[..., Any]) -> Any:
            class Task:
                remote = staticmethod(function)

            return Task

        return wrap

    @staticmethod
    def wait(pending: list[Any]) -> tuple[list[Any], list[Any]]:
        return pending[:1], pending[1:]


@contextmanager
def placed_here() -> Iterator[None]:
    """Inside, stages do all their work in this process."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        _place_here(monkeypatch)
        yield


def _place_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for stage in ("frontend.stage", "hmm.stage", "training.realign", "labelling.stage"):
        monkeypatch.setattr(f"ssl_asr.{stage}.joined", _nothing)
        monkeypatch.setattr(f"ssl_asr.{stage}.run_shard_jobs", shard_by_shard)
    for stage in ("training.sequence", "hypotheses"):
        monkeypatch.setattr(f"ssl_asr.{stage}.stage.run_shard_jobs", shard_by_shard)
    for stage in ("training", "evaluation", "hypotheses"):
        monkeypatch.setattr(f"ssl_asr.{stage}.stage.cluster.joined", _nothing)
    monkeypatch.setattr("ssl_asr.frontend.stage._measure_prior", _prior)
    monkeypatch.setattr("ssl_asr.hmm.placement.on_ray", in_series)
    monkeypatch.setattr("ssl_asr.training.stage.fit", fit_here)
    monkeypatch.setattr("ssl_asr.labelling.calibration_file._measured_on_ray", _calibration)
    monkeypatch.setattr("ssl_asr.runtime.cluster.as_task", lambda function, *_: function)
    monkeypatch.setattr("ssl_asr.runtime.cluster.result_of", lambda value: value)
    monkeypatch.setitem(sys.modules, "ray", Here)
