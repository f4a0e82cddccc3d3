"""How long each training takes: the networks' speech and rates, and what blocks, traffic and preemption cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssl_asr.models.systems import BASELINE, BASELINE_SHORT, STUDENT, TOPLINE, trained
from ssl_asr.planning.compute import FRAMES_AN_HOUR, NetworkSize, Rates, student_network, teacher_network
from ssl_asr.planning.facts import Fact
from ssl_asr.planning.network import STRATEGIES, Traffic, block_steps, traffic
from ssl_asr.planning.numbers import microseconds, number
from ssl_asr.planning.preemption import loss_share
from ssl_asr.planning.speech import Speech, TrainingSpeech, student_speech, teacher_speech
from ssl_asr.planning.wall_time import Hardware, StageTime, on_devices
from ssl_asr.recipe import Batching, Optimiser, Recipe, Sync


@dataclass(frozen=True)
class Training:
    """One network's training: its speech, its optimiser and synchronisation, and its rate."""

    name: str
    network: NetworkSize
    trained_on: TrainingSpeech
    optimiser: Optimiser
    batching: Batching
    sync: Sync
    rate: Fact


def trainings(recipe: Recipe, speech: Speech, rates: Rates) -> list[Training]:
    teacher, student = recipe.teacher, recipe.student
    network, trained_on = student_network(recipe), student_speech(recipe, speech)
    taught = Training(
        "teacher",
        teacher_network(recipe),
        teacher_speech(recipe, speech),
        teacher.optimiser,
        teacher.batching,
        teacher.sync,
        rates.teacher,
    )
    short = trained_on.share(student.shorter_baseline)
    alike = {
        BASELINE: (replace(trained_on, labeled_share=1.0), rates.baseline),
        BASELINE_SHORT: (short, rates.baseline),
        STUDENT: (trained_on, rates.student),
        TOPLINE: (trained_on, rates.topline),
    }
    settings = (student.optimiser, student.batching, student.sync)
    models = [name for name in trained(recipe) if name in alike]
    return [taught, *(Training(name, network, alike[name][0], *settings, alike[name][1]) for name in models)]


def traffic_of(recipe: Recipe, training: Training, strategy: str, workers: int, gbit: float, slabs: int) -> Traffic:
    steps = block_steps(training.batching, heard_minutes(recipe, training), slabs)
    network, rate = training.network, training.rate.value
    return traffic(strategy, network.parameters, training.optimiser, training.sync, workers, steps, rate, gbit)


def heard_minutes(recipe: Recipe, training: Training) -> float:
    """Minutes of a slab that a pass hears."""
    return recipe.corpus.slab_minutes * training.trained_on.slab_share


def block_seconds(recipe: Recipe, training: Training, slabs: int, efficiency: float) -> float:
    return slabs * heard_minutes(recipe, training) / 60 * FRAMES_AN_HOUR * training.rate.value / efficiency


def group_kills(cluster: Hardware) -> float:
    """Kills a second of all training machines together; each kill stops all workers."""
    return cluster.kills.value * cluster.devices.trainers / 3600


def training_time(recipe: Recipe, training: Training, start: Fact, cluster: Hardware) -> StageTime:
    devices, sync, slabs = cluster.devices, training.sync, training.sync.block_slabs
    if sync.simulated_workers is not None:  # on one core, and nothing is sent
        hours, how = training.trained_on.hours, f"by {sync.simulated_workers} simulated workers"
        formula = f"{number(hours)} h x 120,000 frames x {microseconds(training.rate.value)}, {how}"
        return on_devices(training.name, "core", 1, hours=hours, rate=training.rate, start=start, formula=formula)
    by = {
        strategy: traffic_of(recipe, training, strategy, devices.trainers, cluster.gbit.value, slabs).efficiency
        for strategy in STRATEGIES
    }
    hours = training.trained_on.hours
    warm = min(sync.warm_start_hours, hours) if sync.strategy == "bmuf" else 0.0
    efficiency = hours / (warm / by["dense"] + (hours - warm) / by[sync.strategy])
    period = sync.checkpoint_blocks * block_seconds(recipe, training, slabs, efficiency)
    lost = loss_share(period, group_kills(cluster), cluster.recovery.value)
    formula = f"{number(hours)} h x 120,000 frames x {microseconds(training.rate.value)}, by {sync.strategy}"
    return on_devices(
        training.name,
        devices.kind,
        devices.trainers,
        hours=hours,
        rate=training.rate,
        start=start,
        formula=formula,
        efficiency=efficiency,
        lost=lost,
    )
