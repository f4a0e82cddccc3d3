"""How each transducer of a recipe is trained: its sources and schedule, and the job that they make."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssl_asr.frontend.conversations import ConversationMaker
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.stacking import STACK
from ssl_asr.hmm.senones import load_senones
from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.systems import encoder_name
from ssl_asr.recipe import (
    ObjectiveSection,
    Recipe,
    SeparatedTransducerSection,
    SeparatorNetwork,
    Transducer,
    TransducerSection,
    TurnSettings,
)
from ssl_asr.training.data.conversations import ConversationReader
from ssl_asr.training.data.examples import Reader
from ssl_asr.training.data.run_sources import recognised_source, source_of_run
from ssl_asr.training.data.sources import Source
from ssl_asr.training.data.transcribed import TranscribedReader
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.plan import TrainingPlan, planned_job, version_of_pass
from ssl_asr.training.schedule import LABELED
from ssl_asr.training.transducer.inputs import judges_texts, transducer_inputs
from ssl_asr.training.transducer.schedule import transducer_schedule
from ssl_asr.training.transducer.word_pieces import word_pieces_of
from ssl_asr.transducer.model import TransducerSpec


@dataclass(frozen=True, kw_only=True)
class TransducerPlan(TrainingPlan):
    """`hypotheses` names the teacher's words, if any."""

    settings: Transducer
    hypotheses: str | None = None


def transducer_plan(recipe: Recipe, name: str) -> TransducerPlan:
    """ValueError where speech or its words are missing."""
    settings = recipe.transducers[name]
    labeled = _source(recipe, settings, "labeled")
    unlabeled, hypotheses = None, None
    if settings.unlabeled_passes:
        hypotheses, unlabeled = recognised_source(recipe, _source(recipe, settings, "unlabeled"))
    schedule = transducer_schedule(settings, labeled, unlabeled)
    sources = [labeled] if unlabeled is None else [labeled, unlabeled]
    return TransducerPlan(
        name=name,
        inputs=transducer_inputs(recipe, name),
        settings=settings,
        schedule=schedule,
        sources=sources,
        hypotheses=hypotheses,
    )


def transducer_job(recipe: Recipe, plan: TransducerPlan, pieces: WordPieces) -> TrainingJob:
    """All that the workers of the training need to know."""
    settings = plan.settings
    dev = _source(recipe, settings, "dev", required=False)
    uri = word_pieces_of(recipe, settings)
    job = planned_job(
        recipe,
        plan,
        spec=transducer_spec(recipe, settings, pieces),
        objectives={LABELED: _objective(recipe, settings, uri)},
        dev=dev,
        dev_objective=LABELED,
        reader=_reader(recipe, plan),
    )
    start = encoder_name(plan.name) if settings.senone_passes else settings.encoder_from
    begin = settings.start_from or None  # those that begin as one draw alike what it lacks, such as rows of marks
    return replace(job, start_encoder=start or None, start_transducer=begin, drawn_as=begin, word_pieces=uri)


def transducer_spec(recipe: Recipe, settings: Transducer, pieces: WordPieces) -> TransducerSpec:
    inputs = recipe.frontend.mel_bins * STACK
    return TransducerSpec(settings.network, settings.predictor, settings.joiner, inputs, len(pieces))


def _source(recipe: Recipe, settings: Transducer, split: str, *, required: bool = True) -> Source:
    aligned = split == "labeled" and judges_texts(recipe)
    return source_of_run(recipe, split, settings.versions, required=required, aligned=aligned)


def _objective(recipe: Recipe, settings: Transducer, word_pieces: str) -> ObjectiveSection:
    learned = settings.conversations
    if learned is None:
        return TransducerSection(word_pieces=word_pieces, fast_emit=settings.fast_emit)
    assert isinstance(settings.network, SeparatorNetwork), "a recipe has no other network for conversations"
    return SeparatedTransducerSection(
        word_pieces=word_pieces,
        channels=settings.network.channels,
        sample_rate=recipe.frontend.sample_rate,
        fast_emit=settings.fast_emit,
        **{name: getattr(learned, name) for name in TurnSettings.model_fields},
    )


def _reader(recipe: Recipe, plan: TransducerPlan) -> Reader:
    if (simulated := plan.settings.conversations) is not None:
        maker = ConversationMaker(recipe, simulated, read_prior(recipe.run))
        return ConversationReader(maker, simulated.one_talker_passes)
    return TranscribedReader(
        run=recipe.run,
        mel_bins=recipe.frontend.mel_bins,
        hypothesis_set=plan.hypotheses,
        least_confidence=plan.settings.least_confidence,
        one_version=version_of_pass(recipe, plan),
        alignment_set=load_senones(recipe.run).alignment_set if judges_texts(recipe) else None,
    )
