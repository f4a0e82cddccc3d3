"""How a model is trained: on which sources, by which schedule, and with the settings of its section of the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.models.model_files import made_from
from ssl_asr.recipe import ObjectiveSection, Recipe, Student, Teacher, Transducer
from ssl_asr.recipe.identity import Inputs, inputs_key
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.data.examples import Reader
from ssl_asr.training.data.sources import Source
from ssl_asr.training.data.versions import OneVersion
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.schedule import Phase
from ssl_asr.transducer.model import TransducerSpec


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What is trained, on what and how; `inputs` is what the model is made from."""

    name: str
    inputs: Inputs
    settings: Teacher | Student | Transducer
    schedule: Sequence[Phase]
    sources: Sequence[Source]

    @property
    def key(self) -> str:
        return inputs_key(self.inputs)

    @property
    def slabs(self) -> int:
        return sum(phase.count for phase in self.schedule)


def is_trained(recipe: Recipe, plan: TrainingPlan) -> bool:
    return made_from(model_uri(recipe.run, plan.name)) == plan.inputs


def version_of_pass(recipe: Recipe, plan: TrainingPlan) -> OneVersion | None:
    """Which version of each recording a pass hears; None where it hears all."""
    return OneVersion(recipe.seed) if plan.settings.versions == "one" else None


def planned_job(
    recipe: Recipe,
    plan: TrainingPlan,
    *,
    spec: ModelSpec | TransducerSpec,
    objectives: Mapping[str, ObjectiveSection],
    dev: Source,
    dev_objective: str,
    reader: Reader,
) -> TrainingJob:
    """What the workers of any training need to know; an empty `dev` is not judged."""
    mean, deviation = global_statistics(recipe.run)
    return TrainingJob(
        run=recipe.run,
        name=plan.name,
        inputs=dict(plan.inputs),
        spec=spec,
        optimiser=plan.settings.optimiser,
        batching=plan.settings.batching,
        augmentation=plan.settings.augmentation,
        sync=plan.settings.sync,
        seed=recipe.seed,
        schedule=tuple(plan.schedule),
        sources=tuple(plan.sources),
        objectives=objectives,
        dev=dev if len(dev) else None,
        dev_objective=dev_objective,
        reader=reader,
        mean=mean,
        deviation=deviation,
    )
