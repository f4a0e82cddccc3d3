"""The plan: stores, stages, network, losses, cost and block size, all pure functions of the figures."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.planning.blocks import BlockAdvice, advise
from ssl_asr.planning.compute import Devices
from ssl_asr.planning.facts import GPU_GBIT, LOOPBACK_GBIT, NO_KILLS, RECOVERY_SECONDS, SPOT_KILLS, Fact
from ssl_asr.planning.fairness import fairness_times
from ssl_asr.planning.measured import PlanInputs
from ssl_asr.planning.network import STRATEGIES, Traffic, minibatches_of, worker_counts
from ssl_asr.planning.question import Question
from ssl_asr.planning.sequence import sequence_times
from ssl_asr.planning.sizes import Store, stores
from ssl_asr.planning.speech import Speech
from ssl_asr.planning.stage_times import stage_times
from ssl_asr.planning.training_times import Training, traffic_of, trainings
from ssl_asr.planning.wall_time import Hardware, StageTime
from ssl_asr.recipe import Recipe


@dataclass(frozen=True)
class TrainingTraffic:
    """Traffic of one training: rows for 2, 4, ... workers, by strategy; `bytes` is what all workers send together."""

    training: Training
    rows: list[list[Traffic]]
    minibatches: float
    bytes: float


@dataclass(frozen=True)
class Cost:
    gpu_hours: float
    core_hours: float
    price_gpu_hour: float
    price_cpu_hour: float

    @property
    def total(self) -> float:
        return self.gpu_hours * self.price_gpu_hour + self.core_hours * self.price_cpu_hour


@dataclass(frozen=True)
class Plan:
    recipe: Recipe
    speech: Speech
    cluster: Hardware
    stores: list[Store]
    stages: list[StageTime]
    networks: list[TrainingTraffic]
    blocks: list[BlockAdvice]
    cost: Cost | None  # None where no price was given

    def stage(self, name: str) -> StageTime:
        return next(stage for stage in self.stages if stage.stage == name)

    def store(self, name: str) -> Store:
        return next(store for store in self.stores if store.name == name)


def cluster_of(recipe: Recipe, question: Question, devices: Devices) -> Hardware:
    gpu = devices.kind == "GPU"
    cpus = question.cpus or (max(1, int(devices.trainers * recipe.cluster.cpus_per_worker)) if gpu else None)
    return Hardware(
        devices,
        cpus or devices.labellers,
        _given(question.gbit, GPU_GBIT if gpu else LOOPBACK_GBIT),
        _given(question.kills_per_hour, SPOT_KILLS if gpu else NO_KILLS),
        _given(question.recovery_seconds, RECOVERY_SECONDS),
    )


def make_plan(recipe: Recipe, question: Question, devices: Devices, knowledge: PlanInputs) -> Plan:
    cluster = cluster_of(recipe, question, devices)
    speech, facts, rates = knowledge.speech, knowledge.facts, knowledge.rates
    by_name = {training.name: training for training in trainings(recipe, speech, rates)}
    *stages, evaluate = stage_times(recipe, speech, facts, rates, cluster)
    teacher, student = by_name["teacher"], by_name["student"]
    stages += [*sequence_times(recipe, speech, facts.start_seconds, by_name, cluster), evaluate]
    stages += fairness_times(recipe, speech, facts, student, cluster)
    share = recipe.student.selected_share * min(recipe.student.unlabeled_passes, 1)
    unique = {"teacher": speech.labeled.value, "student": speech.labeled.value + share * speech.unlabeled.value}
    return Plan(
        recipe=recipe,
        speech=speech,
        cluster=cluster,
        stores=stores(recipe, speech, facts, devices.trainers),
        stages=stages,
        networks=[_network(recipe, training, cluster) for training in (teacher, student)],
        blocks=[
            advise(recipe, training, cluster, unique[training.name])
            for training in (teacher, student)
            if training.sync.strategy == "bmuf"
        ],
        cost=_cost(stages, question),
    )


def _given(value: float | None, otherwise: Fact) -> Fact:
    return otherwise if value is None else Fact(value, "given on the command line")


def _network(recipe: Recipe, training: Training, cluster: Hardware) -> TrainingTraffic:
    slabs, gbit = training.sync.block_slabs, cluster.gbit.value
    workers = cluster.devices.trainers
    rows = [
        [traffic_of(recipe, training, strategy, count, gbit, slabs) for strategy in STRATEGIES]
        for count in worker_counts(workers)
    ]
    minibatches = minibatches_of(training.trained_on, training.batching, workers)
    sent = traffic_of(recipe, training, training.sync.strategy, workers, gbit, slabs).bytes_a_minibatch
    return TrainingTraffic(training, rows, minibatches, sent * minibatches * workers)


def _cost(stages: list[StageTime], question: Question) -> Cost | None:
    if question.price_gpu_hour is None and question.price_cpu_hour is None:
        return None
    hours = {kind: sum(stage.held_hours for stage in stages if stage.kind == kind) for kind in ("GPU", "core")}
    return Cost(hours["GPU"], hours["core"], question.price_gpu_hour or 0.0, question.price_cpu_hour or 0.0)
