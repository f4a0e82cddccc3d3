"""What an adaptation trains, how far that is, and how long the rest takes: for a dry run and for `ssl-asr status`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.model_files import made_from
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import PLANNED, adapted_folder, planned_uri
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.training_layout import model_uri, schedule_uri
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.training.job import TrainingJob

State = Literal["done", "begun", "waiting"]


@dataclass(frozen=True)
class PlannedTraining:
    """The training of the model `name`; `key` is that of its inputs, `hours` about what it hears."""

    name: str
    key: str
    hours: float


@dataclass(frozen=True)
class PlannedAdaptation:
    """`key` is that of all `trainings`, `model` the one that they begin with or are compared with."""

    name: str
    key: str
    model: str
    trainings: tuple[PlannedTraining, ...]


@dataclass(frozen=True)
class TrainingProgress:
    """`heard` of `hours` of speech; `seconds_left` is None where the speed is not known yet."""

    name: str
    state: State
    heard: float
    hours: float
    seconds_left: float | None


_PLANNED = TypeAdapter(PlannedAdaptation)


def planned(name: str, model: str, jobs: Iterable[TrainingJob]) -> PlannedAdaptation:
    """Of these jobs, each once."""
    each_once = {job.name: job for job in jobs}
    trainings = tuple(PlannedTraining(job.name, job.key, hours_of(job)) for job in each_once.values())
    return PlannedAdaptation(name, inputs_key({each.name: each.key for each in trainings}), model, trainings)


def hours_of(job: TrainingJob) -> float:
    """Of speech that the job's schedule goes through: the mean of the slabs of each source."""
    frames_a_slab = {source.name: source.frames / max(len(source), 1) for source in job.sources}
    frames = sum(phase.count * frames_a_slab[phase.source] for phase in job.schedule)
    return frames / STACK * FRAME_SECONDS / 3600


def write_planned(run: str, plan: PlannedAdaptation) -> None:
    values = json.dumps(asdict(plan), indent=1) + "\n"
    filesystem.write_bytes(planned_uri(run, plan.name), values.encode())


def all_planned(run: str) -> list[PlannedAdaptation]:
    """Of all adaptations of the run that were begun, by name. ValueError naming a damaged file."""
    return [_read(uri) for uri in filesystem.list_files(adapted_folder(run), PLANNED)]


def _read(uri: str) -> PlannedAdaptation:
    try:
        return _PLANNED.validate_json(filesystem.read_bytes(uri))
    except ValidationError as error:
        raise ValueError(f"{uri} is damaged; delete it, the next `ssl-asr adapt` writes it again") from error


def progress_of(run: str, plan: PlannedAdaptation) -> list[TrainingProgress]:
    """Of each training, by models, schedules and curves of the run.

    Time is told at the speed of the adaptation's own blocks, before its first one at that of the model before.
    """
    states = [_state(run, each) for each in plan.trainings]
    # A training that waits may have the curve of an earlier one.
    curves = [
        [] if state == "waiting" else read_curve(run, each.name)
        for each, state in zip(plan.trainings, states, strict=True)
    ]
    speed = _speed(curves) or _speed([read_curve(run, plan.model)])
    return [_progress(*each, speed) for each in zip(plan.trainings, states, curves, strict=True)]


def _state(run: str, training: PlannedTraining) -> State:
    made = made_from(model_uri(run, training.name))
    if made is not None and inputs_key(made) == training.key:
        return "done"
    return "begun" if filesystem.exists(schedule_uri(run, training.name, training.key)) else "waiting"


def _progress(
    training: PlannedTraining, state: State, curve: Sequence[Record], speed: float | None
) -> TrainingProgress:
    hours = training.hours
    heard = hours if state == "done" else min(_heard(_blocks(curve)), hours)
    left = 0.0 if state == "done" else None if speed is None else 3600 * (hours - heard) / speed
    return TrainingProgress(training.name, state, heard, hours, left)


def _speed(curves: Iterable[Sequence[Record]]) -> float | None:
    """x real time, on whole utterances where there are any: adaptation hears no chunks. None without a block."""
    blocks = [block for curve in curves for block in _blocks(curve)]
    used = [block for block in blocks if block["whole"]] or blocks
    seconds = sum(block["seconds"] for block in used)
    return 3600 * _heard(used) / seconds if seconds else None


def _blocks(curve: Sequence[Record]) -> list[Record]:
    return [record for record in curve if "loss" in record]


def _heard(blocks: Sequence[Record]) -> float:
    """Hours."""
    return float(sum(block["frames"] for block in blocks) * FRAME_SECONDS / 3600)
