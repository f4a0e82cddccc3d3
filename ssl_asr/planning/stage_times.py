"""How long every stage takes, on how many devices, including losses to preemption."""

from __future__ import annotations

from dataclasses import replace

from ssl_asr.models.systems import BASELINE_SHORT, REALIGN, evaluated
from ssl_asr.planning.compute import FRAMES_AN_HOUR, Rates, training_seconds, transducer_network
from ssl_asr.planning.corpus_time import corpus_times
from ssl_asr.planning.facts import Fact, Facts
from ssl_asr.planning.numbers import microseconds, number
from ssl_asr.planning.preemption import loss_share
from ssl_asr.planning.speech import Speech, transducer_speech
from ssl_asr.planning.training_times import Training, training_time, trainings
from ssl_asr.planning.wall_time import Hardware, StageTime, on_cores, on_devices
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.hypotheses import RECOGNISERS


def stage_times(recipe: Recipe, speech: Speech, facts: Facts, rates: Rates, cluster: Hardware) -> list[StageTime]:
    """Stage times in the order of the pipeline; the report, and the corpus stage of open speech, take seconds."""
    planned = trainings(recipe, speech, rates)
    teacher, *others = (training_time(recipe, training, facts.start_seconds, cluster) for training in planned)
    labelling = _labelling(recipe, speech, facts, rates, cluster)
    return [
        *corpus_times(recipe, speech, facts, cluster),
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
    formula = f"{number(hours)} h x 120,000 frames x {microseconds(rate.value)}"
    shard = recipe.corpus.shard_minutes / 60 * FRAMES_AN_HOUR * seconds
    lost = loss_share(shard, cluster.kills.value / 3600, cluster.recovery.value)
    start, actors = facts.start_seconds, devices.labellers
    return [
        on_devices(
            "realignment", devices.kind, actors, hours=hours, rate=rate, start=start, formula=formula, lost=lost
        )
    ]


def _labelling(recipe: Recipe, speech: Speech, facts: Facts, rates: Rates, cluster: Hardware) -> StageTime:
    hours, devices = speech.recorded_unlabeled.value, cluster.devices  # copies have the recordings' targets
    labelled = hours / max(speech.unlabeled.value, 1e-9)
    shard = labelled * recipe.corpus.shard_minutes / 60 * FRAMES_AN_HOUR * rates.labelling.value
    lost = loss_share(shard, cluster.kills.value / 3600, cluster.recovery.value)
    formula = f"{number(hours)} h x 120,000 frames x {microseconds(rates.labelling.value)}"
    return on_devices(
        "labelling",
        devices.kind,
        devices.labellers,
        hours=hours,
        rate=rates.labelling,
        start=facts.start_seconds,
        formula=formula,
        lost=lost,
    )


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
    """By a network or a transducer; the words of another recogniser are copied in no time."""
    if recipe.hypotheses.teacher not in RECOGNISERS and not recipe.hypotheses.by_transducer:
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
