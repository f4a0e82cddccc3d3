"""The transducers stage: trains the recipe's transducers, each on Ray Train, one after the other.

Before them it trains the encoders of those that begin with an encoder which has learned senones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ssl_asr.models.acoustic import ModelSpec, count_parameters
from ssl_asr.models.model_files import made_from
from ssl_asr.models.systems import encoder_name
from ssl_asr.recipe import Recipe, flops_of
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.runtime.todo import SENONE_SET, TRANSDUCERS, Todo, reasons, upstream, waiting
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, MANIFEST, PSEUDO_LABELS
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve_figures import curve_figures
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.plan import is_trained
from ssl_asr.training.stage import fit_job
from ssl_asr.training.transducer.encoder import EncoderPlan, encoder_job, encoder_plan, encoder_spec
from ssl_asr.training.transducer.equal_flops import of_equal_flops
from ssl_asr.training.transducer.inputs import FLOPS_OF, judges_texts, transducer_inputs
from ssl_asr.training.transducer.plan import TransducerPlan, transducer_job, transducer_plan, transducer_spec
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces
from ssl_asr.transducer.model import TransducerSpec

STAGE = "transducers"


def run_transducers(recipe: Recipe) -> StageReport:
    """Train every transducer that is not trained yet; without any in the recipe there is nothing to do."""
    if not recipe.transducers:
        return StageClock(recipe, STAGE, "off").finish(0, 0, figures={"off": "the recipe has no transducers"})
    refuse_second(recipe, STAGE)
    plans = [transducer_plan(recipe, name) for name in recipe.transducers]
    encoders = [encoder_plan(recipe, plan.name) for plan in plans if plan.settings.senone_passes]
    clock = StageClock(recipe, STAGE, _key(plans))
    left = [plan for plan in plans if not is_trained(recipe, plan)]
    begun = {encoder_name(plan.name) for plan in left}
    before = [plan for plan in encoders if plan.name in begun and not is_trained(recipe, plan)]
    if left:
        # All before the first training: what is wrong is said at once.
        jobs = [encoder_job(recipe, plan) for plan in before]
        jobs += [_job(recipe, plan) for plan in left if not flops_of(plan.settings.network)]
        clock.claim()
        with cluster.joined():
            for job in jobs:
                fit_job(job, recipe.cluster)
            left = [plan for plan in left if not flops_of(plan.settings.network)] + _fit_measured(recipe)
    total, made = (sum(plan.slabs for plan in each) for each in ((*encoders, *plans), (*before, *left)))
    return clock.finish(total, total - made, figures=_all_figures(recipe, encoders, plans))


def _key(plans: Sequence[TransducerPlan]) -> str:
    """Of all to be trained. Random gates follow a model that is trained here: its name is not known at the start."""
    known = {plan.name: {name: value for name, value in plan.inputs.items() if name != FLOPS_OF} for plan in plans}
    return inputs_key({name: inputs_key(inputs) for name, inputs in known.items()})


def _job(recipe: Recipe, plan: TransducerPlan) -> TrainingJob:
    return transducer_job(recipe, plan, ensure_word_pieces(recipe, plan.settings))


def _fit_measured(recipe: Recipe) -> list[TransducerPlan]:
    """Train those whose random gates are to take as many FLOPs as another one, which is trained by now."""
    named = [name for name, each in recipe.transducers.items() if flops_of(each.network)]
    plans = [transducer_plan(recipe, name) for name in named]
    left = [plan for plan in plans if not is_trained(recipe, plan)]
    for plan in left:
        network = cluster.as_task(of_equal_flops)(recipe, plan.name)
        settings = plan.settings.model_copy(update={"network": network})
        fit_job(_job(recipe, replace(plan, settings=settings)), recipe.cluster)
    return left


def _all_figures(
    recipe: Recipe, encoders: Sequence[EncoderPlan], plans: Sequence[TransducerPlan]
) -> dict[str, float | str]:
    specs: dict[str, ModelSpec | TransducerSpec] = {plan.name: encoder_spec(recipe, plan) for plan in encoders}
    for plan in plans:
        specs[plan.name] = transducer_spec(recipe, plan.settings, ensure_word_pieces(recipe, plan.settings))
    figures: dict[str, float | str] = {}
    for each in (*encoders, *plans):
        with torch.device("meta"):  # shapes without memory
            parameters = count_parameters(specs[each.name].build())
        of_curve = curve_figures(recipe.run, each.name, parameters, each.settings.sync.simulated_workers)
        figures |= {f"{each.name}_{name}": value for name, value in of_curve.items()}
    return figures


def todo_transducers(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    if not recipe.transducers:
        return []
    read = [f"{MANIFEST}/labeled", f"{FEATURES}/labeled"]
    learns_senones = any(each.senone_passes for each in recipe.transducers.values())
    read += [f"{ALIGNMENTS}/labeled", SENONE_SET] if judges_texts(recipe) or learns_senones else []
    read += [f"{FEATURES}/dev"] if any(flops_of(each.network) for each in recipe.transducers.values()) else []
    read += [each.encoder_from for each in recipe.transducers.values() if each.encoder_from]
    if any(each.unlabeled_passes for each in recipe.transducers.values()):
        read += [f"{FEATURES}/unlabeled", f"{PSEUDO_LABELS}/unlabeled"]
    if causes := upstream(before, *read):
        return [waiting(TRANSDUCERS, causes)]
    why: list[str] = []
    for name in recipe.transducers:
        why += reasons(made_from(model_uri(recipe.run, name)), transducer_inputs(recipe, name))
    return [Todo(TRANSDUCERS, tuple(dict.fromkeys(why)))] if why else []
