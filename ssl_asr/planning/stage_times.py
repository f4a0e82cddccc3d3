"""How long every stage takes, on how many devices, including losses to preemption."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssl_asr.models.systems import BASELINE, BASELINE_SHORT, REALIGN, STUDENT, TOPLINE, evaluated, trained
from ssl_asr.planning.compute import (
    FRAMES_AN_HOUR,
    Devices,
    NetworkSize,
    student_network,
    teacher_network,
    training_seconds,
    transducer_network,
)
from ssl_asr.planning.facts import ACCENT_SENTENCES, SYNTHESIS_SPEED, Fact, Facts, is_open_speech
from ssl_asr.planning.network import STRATEGIES, Traffic, block_steps, traffic
from ssl_asr.planning.numbers import number
from ssl_asr.planning.preemption import loss_share
from ssl_asr.planning.speech import Speech, TrainingSpeech, student_speech, teacher_speech, transducer_speech
from ssl_asr.recipe import Batching, Optimiser, Recipe, Sync
from ssl_asr.recipe.data import RECOGNISERS


@dataclass(frozen=True)
class Rates:
    """Seconds of one device for one 30 ms frame."""

    teacher: Fact
    baseline: Fact
    student: Fact
    topline: Fact
    labelling: Fact
    aligning: Fact  # by the network alone


@dataclass(frozen=True)
class Hardware:
    """`cpus` cores beside the training devices; `gbit` a second of each machine; `kills` of one machine an hour."""

    devices: Devices
    cpus: int
    gbit: Fact
    kills: Fact
    recovery: Fact


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


@dataclass(frozen=True)
class StageTime:
    """`work_hours` of `kind` without losses; `wall_seconds` from start to end; `lost`: share lost to preemption."""

    stage: str
    kind: str
    devices: int
    work_hours: float
    wall_seconds: float
    efficiency: float
    lost: float
    formula: str
    source: str

    @property
    def held_hours(self) -> float:
        """Hours of all its devices, including waiting and restarts; these hours are paid."""
        return self.devices * self.wall_seconds / 3600


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


def stage_times(recipe: Recipe, speech: Speech, facts: Facts, rates: Rates, cluster: Hardware) -> list[StageTime]:
    """Stage times in the order of the pipeline; the report, and the corpus stage of open speech, take seconds."""
    planned = trainings(recipe, speech, rates)
    teacher, *others = (training_time(recipe, training, facts.start_seconds, cluster) for training in planned)
    labelling = _labelling(recipe, speech, facts, rates, cluster)
    return [
        *_corpus(recipe, speech, facts, cluster),
        _frontend(speech, facts, cluster),
        _hmm(recipe, speech, facts, cluster),
        *_realign(recipe, planned[0], facts.start_seconds, cluster),
        *_realignment(recipe, speech, facts, rates, cluster),
        teacher,
        labelling,
        *others,
        *_hypotheses(recipe, speech, facts, cluster),
        *_transducers(recipe, speech, facts, cluster),
        _evaluate(recipe, speech, facts, cluster),
    ]


def _realign(recipe: Recipe, teacher: Training, start: Fact, cluster: Hardware) -> list[StageTime]:
    """The aligners are trained as the teacher is."""
    if not recipe.hmm.realign:
        return []
    aligners = replace(teacher, name=REALIGN, trained_on=teacher.trained_on.times(recipe.hmm.realign))
    return [training_time(recipe, aligners, start, cluster)]


def _realignment(recipe: Recipe, speech: Speech, facts: Facts, rates: Rates, cluster: Hardware) -> list[StageTime]:
    """What the aligners are for: actors run the network, in float32, and search its scores."""
    if not recipe.hmm.realign:
        return []
    hours, devices = recipe.hmm.realign * speech.realigned(recipe), cluster.devices
    network, search = rates.aligning, facts.alignment_speed
    seconds = network.value + 3600 / (FRAMES_AN_HOUR * search.value)
    rate = Fact(seconds, f"{network.source}; aligning at {search.value:,.0f} x real time, {search.source}")
    formula = f"{number(hours)} h x 120,000 frames x {_microseconds(rate)}"
    shard = recipe.corpus.shard_minutes / 60 * FRAMES_AN_HOUR * seconds
    lost = loss_share(shard, cluster.kills.value / 3600, cluster.recovery.value)
    start, actors = facts.start_seconds, devices.labellers
    return [_stage("realignment", devices.kind, actors, hours, rate, start, 1.0, lost, formula)]


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
        formula = f"{number(hours)} h x 120,000 frames x {_microseconds(training.rate)}, {how}"
        return _stage(training.name, "core", 1, hours, training.rate, start, 1.0, 0.0, formula)
    by = {
        strategy: traffic_of(recipe, training, strategy, devices.trainers, cluster.gbit.value, slabs).efficiency
        for strategy in STRATEGIES
    }
    hours = training.trained_on.hours
    warm = min(sync.warm_start_hours, hours) if sync.strategy == "bmuf" else 0.0
    efficiency = hours / (warm / by["dense"] + (hours - warm) / by[sync.strategy])
    period = sync.checkpoint_blocks * block_seconds(recipe, training, slabs, efficiency)
    lost = loss_share(period, group_kills(cluster), cluster.recovery.value)
    formula = f"{number(hours)} h x 120,000 frames x {_microseconds(training.rate)}, by {sync.strategy}"
    return _stage(
        training.name, devices.kind, devices.trainers, hours, training.rate, start, efficiency, lost, formula
    )


def _labelling(recipe: Recipe, speech: Speech, facts: Facts, rates: Rates, cluster: Hardware) -> StageTime:
    hours, devices = speech.recorded_unlabeled.value, cluster.devices  # copies have the recordings' targets
    labelled = hours / max(speech.unlabeled.value, 1e-9)
    shard = labelled * recipe.corpus.shard_minutes / 60 * FRAMES_AN_HOUR * rates.labelling.value
    lost = loss_share(shard, cluster.kills.value / 3600, cluster.recovery.value)
    formula = f"{number(hours)} h x 120,000 frames x {_microseconds(rates.labelling)}"
    return _stage(
        "labelling", devices.kind, devices.labellers, hours, rates.labelling, facts.start_seconds, 1.0, lost, formula
    )


def _stage(
    name: str,
    kind: str,
    devices: int,
    hours: float,
    rate: Fact,
    start: Fact,
    efficiency: float,
    lost: float,
    formula: str,
) -> StageTime:
    work = hours * FRAMES_AN_HOUR * rate.value
    wall = start.value + work / (devices * efficiency * (1 - lost))
    return StageTime(name, kind, devices, work / 3600, wall, efficiency, lost, formula, rate.source)


def _corpus(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> list[StageTime]:
    if recipe.corpus.accents:
        return [_accents(facts, cluster)]
    if is_open_speech(recipe.corpus.unlabeled):
        return []
    speed, length = facts.listing_speed, facts.utterance_seconds
    seconds = 3600 * speech.stored / length.value / speed.value
    formula = f"{number(speech.stored)} h x 3,600 / {length.value:.3g} s / {speed.value:,.0f} a second"
    source = f"{speed.source}; {length.source}"
    return [on_cores("corpus", seconds / 3600, facts.start_seconds, cluster, formula, source)]


def _accents(facts: Facts, cluster: Hardware) -> StageTime:
    """On one core; later runs find the speech in the cache."""
    sentences, speed = ACCENT_SENTENCES, SYNTHESIS_SPEED
    hours = cluster.cpus * sentences.value / speed.value / 3600
    formula = f"1 x {number(sentences.value)} sentences / {speed.value:,.0f} a second, once for a cache"
    return on_cores("corpus", hours, facts.start_seconds, cluster, formula, f"{speed.source}; {sentences.source}")


def _frontend(speech: Speech, facts: Facts, cluster: Hardware) -> StageTime:
    speed = facts.frontend_speed
    formula = f"{number(speech.stored)} h / {speed.value:,.0f} x real time"
    return on_cores("frontend", speech.stored / speed.value, facts.start_seconds, cluster, formula, speed.source)


def _hmm(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> StageTime:
    aligned = speech.aligned(recipe)
    passes = recipe.hmm.flat_start_iterations
    clean, flat, align = speech.clean_labeled.value, facts.flat_start_speed, facts.alignment_speed
    hours = clean * passes / flat.value + aligned / align.value
    formula = (
        f"{number(clean)} h x {passes} / {flat.value:,.0f} + {number(aligned)} h / {align.value:,.0f} x real time"
    )
    return on_cores("hmm", hours, facts.start_seconds, cluster, formula, f"{flat.source}; aligning, {align.source}")


def _hypotheses(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> list[StageTime]:
    """By a network; the words of another recogniser are copied in no time."""
    if recipe.hypotheses.teacher not in RECOGNISERS:
        return []
    hours, speed = speech.recorded_unlabeled.value, facts.recognising_speed  # copies have the recordings' words
    formula = f"{number(hours)} h / {speed.value:.3g} x real time"
    return [on_cores("hypotheses", hours / speed.value, facts.start_seconds, cluster, formula, speed.source)]


def _transducers(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> list[StageTime]:
    """The encoder and one joined label position a frame: a loss whose alignments are unsure joins more."""
    found = []
    for name, settings in recipe.transducers.items():
        network = transducer_network(recipe, settings)
        rate = training_seconds(network, cluster.devices)
        sections = (settings.optimiser, settings.batching, settings.sync)
        training = Training(name, network, transducer_speech(settings, speech), *sections, rate)
        found.append(training_time(recipe, training, facts.start_seconds, cluster))
    return found


def _evaluate(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> StageTime:
    # The search along kappa and the prior scale, without what it may try beyond the recipe's values.
    tries, speed = len(recipe.evaluate.kappas) + len(recipe.evaluate.prior_scales) - 1, facts.decoding_speed
    tuned = evaluated(recipe)
    tested = len(tuned) - (BASELINE_SHORT in tuned)
    hours = tested * speech.test.value + len(tuned) * tries * speech.dev.value
    formula = (
        f"({tested} x {speech.test.value:.3g} + {len(tuned) * tries} x {speech.dev.value:.3g}) h / {speed.value:.3g} "
        "x real"
    )
    return on_cores("evaluate", hours / speed.value, facts.start_seconds, cluster, f"{formula} time", speed.source)


def on_cores(stage: str, hours: float, start: Fact, cluster: Hardware, formula: str, source: str) -> StageTime:
    """A stage of tasks that CPU cores do, for `hours` of one core."""
    wall = start.value + hours * 3600 / cluster.cpus
    return StageTime(stage, "core", cluster.cpus, hours, wall, 1.0, 0.0, formula, source)


def _microseconds(rate: Fact) -> str:
    return f"{number(rate.value * 1e6)} us"
