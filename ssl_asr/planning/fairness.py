"""How long the fairness stage takes: an extractor of embeddings, the adapted models, and decoding by these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ssl_asr.planning.facts import COHORT_SHARE, EXTRACTOR_STEP_SECONDS, Facts
from ssl_asr.planning.numbers import number
from ssl_asr.planning.speech import Speech, TrainingSpeech
from ssl_asr.planning.training_times import Training, training_time
from ssl_asr.planning.wall_time import Hardware, StageTime, on_cores
from ssl_asr.recipe import Adapt, Method, Recipe

ADAPTATION = "adaptation"  # the line of the trainings
# What each training of a method hears in a pass, as a factor of the cohort's own speech. That of `embedding` is all
# speech. `oversample` trains the student again, which is not told in passes.
_HEARD: Mapping[Method, Callable[[Adapt], list[float]]] = {
    "finetune": lambda adapt: [1.0],
    "ewc": lambda adapt: [1.0] * len(adapt.lambdas),
    "l2sp": lambda adapt: [1.0] * len(adapt.l2sp_lambdas),
    "average": lambda adapt: [1.0],
    "replay": lambda adapt: [1 / (1 - share) for share in adapt.replay_shares],
    "embedding": lambda adapt: [1 / COHORT_SHARE.value] * len(adapt.embedding_dimensions),
    "oversample": lambda adapt: [0.0] * len(adapt.repeats),
}


def fairness_times(
    recipe: Recipe, speech: Speech, facts: Facts, student: Training, cluster: Hardware
) -> list[StageTime]:
    """None where the recipe has no such stage."""
    if not recipe.fairness.by:
        return []
    trained = [_adaptation(recipe, speech, facts, student, cluster)] if recipe.fairness.methods else []
    return [*trained, _fairness(recipe, speech, facts, cluster)]


def _adaptation(recipe: Recipe, speech: Speech, facts: Facts, student: Training, cluster: Hardware) -> StageTime:
    """The cohort's speech is not known before; `COHORT_SHARE` stands for it."""
    heard = [factor for method in recipe.fairness.methods for factor in _HEARD[method](recipe.adapt)]
    cohort = COHORT_SHARE.value * (speech.labeled.value + speech.unlabeled.value)
    hours = sum(heard) * recipe.adapt.passes * cohort
    if "oversample" in recipe.fairness.methods:
        more = [1 + (times - 1) * COHORT_SHARE.value for times in recipe.adapt.repeats]
        hours += sum(more) * student.trained_on.hours
    training = replace(student, name=ADAPTATION, trained_on=TrainingSpeech(0.0, hours))
    time = training_time(recipe, training, facts.start_seconds, cluster)
    starts = (len(heard) - 1) * facts.start_seconds.value  # each training starts its workers
    return replace(time, wall_seconds=time.wall_seconds + starts, source=f"{time.source}; {COHORT_SHARE.source}")


def _fairness(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> StageTime:
    methods, speed = recipe.fairness.methods, facts.decoding_speed
    strengths = sum(len(_HEARD[method](recipe.adapt)) for method in methods if method != "average")
    strengths += len(recipe.adapt.averages) if "average" in methods else 0
    decoded = len(methods) * speech.test.value + strengths * speech.dev.value
    steps = recipe.fairness.extractor_steps if "voices" in recipe.fairness.by else 0
    alone = steps * EXTRACTOR_STEP_SECONDS.value / 3600  # hours of one core, while the others wait
    formula = (
        f"({len(methods)} x {speech.test.value:.3g} + {strengths} x {speech.dev.value:.3g}) h / {speed.value:.3g} x "
        f"real time + {number(steps)} x {EXTRACTOR_STEP_SECONDS.value:g} s on one core"
    )
    hours = decoded / speed.value + cluster.cpus * alone
    source = f"{speed.source}; {EXTRACTOR_STEP_SECONDS.source}"
    return on_cores("fairness", hours, facts.start_seconds, cluster, formula, source)
