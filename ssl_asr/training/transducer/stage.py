"""The transducers stage: trains the recipe's transducers, each on Ray Train, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ssl_asr.models.acoustic import count_parameters
from ssl_asr.models.model_files import made_from
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
from ssl_asr.training.transducer.equal_flops import of_equal_flops
from ssl_asr.training.transducer.inputs import judges_texts, transducer_inputs
from ssl_asr.training.transducer.plan import TransducerPlan, transducer_job, transducer_plan, transducer_spec
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces

STAGE = "transducers"


def run_transducers(recipe: Recipe) -> StageReport:
    """Train every transducer that is not trained yet; without any in the recipe there is nothing to do."""
    if not recipe.transducers:
        return StageClock(recipe, STAGE, "off").finish(0, 0, figures={"off": "the recipe has no transducers"})
    refuse_second(recipe, STAGE)
    plans = [transducer_plan(recipe, name) for name in recipe.transducers]
    clock = StageClock(recipe, STAGE, inputs_key({plan.name: plan.key for plan in plans}))
    left = [plan for plan in plans if not is_trained(recipe, plan)]
    if left:
        # All before the first training: what is wrong is said at once.
        jobs = [_job(recipe, plan) for plan in left if not flops_of(plan.settings.network)]
        clock.claim()
        with cluster.joined():
            for job in jobs:
                fit_job(job, recipe.cluster)
            left = [plan for plan in left if not flops_of(plan.settings.network)] + _fit_measured(recipe)
    figures: dict[str, float | str] = {}
    for plan in plans:
        figures |= {f"{plan.name}_{name}": value for name, value in _figures(recipe, plan).items()}
    total = sum(plan.slabs for plan in plans)
    return clock.finish(total, total - sum(plan.slabs for plan in left), figures=figures)


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


def _figures(recipe: Recipe, plan: TransducerPlan) -> dict[str, float | str]:
    pieces = ensure_word_pieces(recipe, plan.settings)
    with torch.device("meta"):  # shapes without memory
        parameters = count_parameters(transducer_spec(recipe, plan.settings, pieces).build())
    return curve_figures(recipe.run, plan.name, parameters, plan.settings.sync.simulated_workers)


def todo_transducers(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    if not recipe.transducers:
        return []
    read = [f"{MANIFEST}/labeled", f"{FEATURES}/labeled"]
    read += [f"{ALIGNMENTS}/labeled", SENONE_SET] if judges_texts(recipe) else []
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
