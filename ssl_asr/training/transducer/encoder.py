"""An encoder that learns senones before its transducer learns words (Hu et al., ICASSP 2020).

It is an acoustic model of the transducer's network, trained by cross-entropy on the alignments of the labeled speech.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssl_asr.frontend.stacking import STACK
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.models.systems import encoder_name
from ssl_asr.recipe import (
    CrossEntropySection,
    NetworkSection,
    Recipe,
    SeparatorNetwork,
    Transducer,
    TransformerNetwork,
)
from ssl_asr.recipe.identity import non_defaults
from ssl_asr.store import alignments, features
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.run_sources import source_of_run
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.inputs import VERSION, digest_of, network_inputs
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.plan import TrainingPlan, planned_job, version_of_pass
from ssl_asr.training.schedule import LABELED
from ssl_asr.training.transducer.schedule import encoder_schedule

# Sections and values of a transducer that have no part in what its encoder learns before.
_OF_WORDS = (
    "predictor",
    "joiner",
    "word_pieces",
    "sub_epochs",
    "labeled_passes",
    "unlabeled_passes",
    "labeled_boost",
    "least_confidence",
    "fast_emit",
    "network.gating",
    "network.channels",
    "conversations",
)


@dataclass(frozen=True, kw_only=True)
class EncoderPlan(TrainingPlan):
    """`senones` are the outputs, and say which alignments are the labels."""

    settings: Transducer
    senones: SenoneSet


def encoder_plan(recipe: Recipe, name: str) -> EncoderPlan:
    """ValueError where speech or its alignments are missing."""
    settings, senones = recipe.transducers[name], load_senones(recipe.run)
    labeled = source_of_run(recipe, "labeled", settings.versions, senones=senones)
    return EncoderPlan(
        name=encoder_name(name),
        inputs=encoder_inputs(recipe, name),
        settings=settings,
        schedule=encoder_schedule(settings, labeled),
        sources=[labeled],
        senones=senones,
    )


def encoder_inputs(recipe: Recipe, name: str) -> dict[str, str]:
    """The recipe's fields for it, and the very shards that it is trained on."""
    senones = load_senones(recipe.run)
    others = tuple(f"transducers.{each}." for each in recipe.transducers if each != name)
    no_part = others + tuple(f"transducers.{name}.{each}" for each in _OF_WORDS)
    return {
        "version": VERSION,
        "senones": senones.id,
        "features": digest_of(ShardStore(recipe.run, features.STORE), "labeled"),
        "alignments": digest_of(ShardStore(recipe.run, alignments.store_name(senones.alignment_set)), "labeled"),
        **{path: value for path, value in non_defaults(recipe, "transducer").items() if not path.startswith(no_part)},
        **network_inputs(_without_gates(recipe.transducers[name].network)),
    }


def encoder_job(recipe: Recipe, plan: EncoderPlan) -> TrainingJob:
    """All that the workers of the training need to know."""
    job = planned_job(
        recipe,
        plan,
        spec=encoder_spec(recipe, plan),
        objectives={LABELED: CrossEntropySection()},
        dev=source_of_run(recipe, "dev", required=False, senones=plan.senones),
        dev_objective=LABELED,
        reader=SlabReader(
            run=recipe.run,
            mel_bins=recipe.frontend.mel_bins,
            alignment_set=plan.senones.alignment_set,
            one_version=version_of_pass(recipe, plan),
        ),
    )
    return replace(job, about={"senone_set": plan.senones.id})


def encoder_spec(recipe: Recipe, plan: EncoderPlan) -> ModelSpec:
    """Without gates: they are learned on top of a network that works with all of its modules.

    Of a separator one channel, which hears one talker.
    """
    network = _without_gates(plan.settings.network)
    if isinstance(network, SeparatorNetwork):
        network = network.model_copy(update={"channels": 1})
    return ModelSpec(network, recipe.frontend.mel_bins * STACK, plan.senones.size)


def _without_gates(network: NetworkSection) -> NetworkSection:
    return network.model_copy(update={"gating": None}) if isinstance(network, TransformerNetwork) else network
