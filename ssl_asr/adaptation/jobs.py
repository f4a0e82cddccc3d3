"""The trainings of an adaptation, derived from the training of the model that is adapted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ssl_asr.adaptation.schedules import adaptation_schedule, objectives_of, oversampled_schedule
from ssl_asr.adaptation.speech import CohortReader, CohortSpeech, cohort_source, shared_cohorts
from ssl_asr.adaptation.told import TellingReader
from ssl_asr.models.acoustic import ModelSpec, check_takes_cohorts
from ssl_asr.models.cohort_input import CohortInput
from ssl_asr.models.model_files import model_id
from ssl_asr.models.systems import STUDENT, adapted_name
from ssl_asr.recipe import Adapt, CrossEntropySection, Method, Recipe
from ssl_asr.recipe.identity import digest, inputs_key, non_defaults
from ssl_asr.store.ledger import checksum
from ssl_asr.store.training_layout import fisher_uri, model_uri
from ssl_asr.training.acoustic_plan import AcousticPlan, job_of
from ssl_asr.training.data.sources import Source
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.objectives.anchored import Anchor

VERSION = "1"  # raise where equal inputs give another adapted model
FISHER_VERSION = "2"  # raise where equal inputs give other weights of EWC
DEV = "dev"  # the objective on dev: the penalty has no part in it


@dataclass(frozen=True)
class Adaptation:
    """The model that `plan` has trained is adapted to `speech`, that of `cohorts` of those by `by`."""

    recipe: Recipe
    plan: AcousticPlan
    by: str
    cohorts: tuple[str, ...]
    speech: CohortSpeech
    method: Method

    @property
    def sources(self) -> list[Source]:
        """The cohort's, without empty ones."""
        found = [cohort_source(source, self.speech) for source in self.plan.sources]
        return [source for source in found if len(source)]

    @property
    def name(self) -> str:
        """Of all strengths together."""
        return adaptation_name(self.plan.name, self.method, self.by, self.cohorts)

    def name_at(self, strength: float) -> str:
        """Of the model of this strength."""
        return self.name if self.method == "finetune" else f"{self.name}-{strength:g}"

    def takes_cohorts(self, name: str) -> bool:
        """Whether the model of this name, of one of the strengths, is told the cohorts of speakers."""
        return self.method == "embedding" and name != self.name_at(0.0)

    def inputs_at(self, strength: float) -> dict[str, str]:
        """What the model of this strength is made from."""
        return {
            "version": VERSION,
            "model": model_id(model_uri(self.recipe.run, self.plan.name)),
            "trained": self.plan.key,
            "speakers": digest(sorted(self.speech.speakers)),
            "speech": digest([checksum(source.table.tobytes()) for source in self.sources]),
            "method": self.method,
            "strength": repr(float(strength)),
            **({"fisher": inputs_key(self.fisher_inputs())} if self.method == "ewc" else {}),
            **({"drawn as": STUDENT} if self.method == "oversample" else {}),
            **({"told": _told(self.speech.cohorts)} if self.method == "embedding" else {}),
            **non_defaults(self.recipe, "adapted"),
        }

    def fisher_inputs(self) -> dict[str, str]:
        """What the Fisher information of the trained model is made from; no cohort has a part in it."""
        return {
            "version": FISHER_VERSION,
            "model": model_id(model_uri(self.recipe.run, self.plan.name)),
            "trained": self.plan.key,
            "utterances": str(self.recipe.adapt.fisher_utterances),
            "seed": str(self.recipe.seed),
        }

    @property
    def fisher(self) -> str:
        return fisher_uri(self.recipe.run, inputs_key(self.fisher_inputs()))


def adaptation_name(model: str, method: Method, by: str, cohorts: Sequence[str]) -> str:
    """Of the adaptation of `model` to these of the cohorts by `by`."""
    key = inputs_key({"by": by, "cohorts": "\n".join(cohorts)})[:6]
    return adapted_name(model, f"{method}-{key}")


def strengths_of(settings: Adapt, method: Method) -> tuple[float, ...]:
    """All that are tried, each once, from weak to strong."""
    tried: dict[Method, Sequence[float]] = {
        "finetune": (1.0,),
        "ewc": settings.lambdas,
        "l2sp": settings.l2sp_lambdas,
        "average": settings.averages,
        "replay": settings.replay_shares,
        "oversample": settings.repeats,
        "embedding": settings.embedding_dimensions,
    }
    return tuple(sorted({float(each) for each in tried[method]}))


def adapting_job(work: Adaptation, strength: float) -> TrainingJob:
    """The training of one strength. ValueError where the method has nothing to be trained on.

    Weights are averaged after `finetune`, which has a job of its own.
    """
    assert work.method != "average", "an average is not trained"
    before = job_of(work.recipe, work.plan)
    job = replace(
        before,
        name=work.name_at(strength),
        inputs=work.inputs_at(strength),
        reader=CohortReader(before.reader, work.speech.speakers),
        objectives={**before.objectives, DEV: CrossEntropySection()},
        dev_objective=DEV,
    )
    if work.method == "oversample":
        return _oversampling(work, job, round(strength))
    if not work.sources:
        raise ValueError(
            f"{work.plan.name} was trained on no speech of {', '.join(work.cohorts)}; name another cohort"
        )
    if work.method == "embedding":
        return _embedding(work, job, round(strength))
    share = strength if work.method == "replay" else 0.0
    general: dict[str, Source] = {source.name: source for source in work.plan.sources}
    objectives = objectives_of([*work.plan.objectives])
    return replace(
        job,
        start=work.plan.name,
        schedule=tuple(adaptation_schedule(work.recipe.adapt, work.sources, general, objectives, share)),
        sources=(*work.sources, *(general.values() if share else ())),
        anchor=_anchor(work, strength),
    )


def _oversampling(work: Adaptation, job: TrainingJob, repeats: int) -> TrainingJob:
    unlabeled = [source for source in work.plan.sources if source.name == "unlabeled"]
    cohort = [source for source in work.sources if source.name == "cohort-unlabeled"]
    if work.plan.name != STUDENT or not cohort:
        raise ValueError(
            "oversample repeats teacher-labelled speech of the cohort in the student's training; "
            + ("there is none" if work.plan.name == STUDENT else f"{work.plan.name} has no such training")
        )
    schedule = oversampled_schedule(job.schedule, cohort[0], unlabeled[0], repeats)
    # The student's own random weights: with others, it would differ from the student by chance too.
    return replace(job, schedule=tuple(schedule), sources=(*job.sources, cohort[0]), drawn_as=STUDENT)


def _embedding(work: Adaptation, job: TrainingJob, dimensions: int) -> TrainingJob:
    """All training speech; with 0 dimensions no cohort is told, and all else is the same."""
    general: dict[str, Source] = {source.name: source for source in work.plan.sources}
    objectives = objectives_of([*work.plan.objectives])
    schedule = adaptation_schedule(work.recipe.adapt, work.plan.sources, general, objectives, 0.0)
    job = replace(job, start=work.plan.name, schedule=tuple(schedule), reader=job_of(work.recipe, work.plan).reader)
    if not dimensions:
        return job
    assert isinstance(job.spec, ModelSpec), "a model with senones"
    cohorts = CohortInput(shared_cohorts(work.speech.cohorts), dimensions)
    check_takes_cohorts(job.spec, cohorts)
    numbers = {
        speaker: cohorts.numbers[name] for speaker, name in work.speech.cohorts.items() if name in cohorts.names
    }
    reader = TellingReader(job.reader, numbers, work.recipe.adapt.unknown_share, work.recipe.seed)
    return replace(job, spec=replace(job.spec, cohorts=cohorts), reader=reader)


def _told(cohorts: Mapping[str, str]) -> str:
    return digest([f"{speaker}\t{name}" for speaker, name in sorted(cohorts.items())])


def _anchor(work: Adaptation, strength: float) -> Anchor | None:
    start = model_uri(work.recipe.run, work.plan.name)
    if work.method == "ewc":
        return Anchor(start, strength, work.fisher)
    return Anchor(start, strength) if work.method == "l2sp" else None
