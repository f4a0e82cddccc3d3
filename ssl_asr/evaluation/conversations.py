"""Recognises simulated conversations of the test speech by Ray tasks, with the transducers of conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ssl_asr.corpus.mixtures.targets import END
from ssl_asr.decoding.slabs import Slab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.inputs import describe_conversations
from ssl_asr.evaluation.slab_tasks import Pieces, made_of_slabs
from ssl_asr.evaluation.transducer_results import ConversationErrors
from ssl_asr.evaluation.turns.errors import conversation_errors
from ssl_asr.evaluation.turns.slabs import ConversationSlab, read_conversations, recognise_conversations
from ssl_asr.recipe import Recipe
from ssl_asr.training.objectives.turn_labels import MARKS


def recognise_slabs_of_conversations(
    recipe: Recipe, slabs: Sequence[Slab]
) -> tuple[dict[str, list[ConversationSlab]], Pieces]:
    """What each transducer of conversations emits in all slabs, in their order; call it inside `cluster.joined`."""
    systems = [describe_conversations(recipe, name) for name in recipe.conversation_transducers]
    if not systems:
        return {}, Pieces()
    work = {system.name: [(system, slab) for slab in slabs] for system in systems}
    return made_of_slabs("conversations of test", work, read_conversations, recognise_conversations)


def score_conversations(recipe: Recipe, found: Mapping[str, Sequence[ConversationSlab]]) -> list[ConversationErrors]:
    """Of each transducer; ValueError if the test speech makes no conversation."""
    draws, rate = Draws(recipe.evaluate.bootstrap, recipe.seed), recipe.frontend.sample_rate
    scored = []
    for name, slabs in found.items():
        conversations = [each for slab in slabs for each in slab.conversations]
        errors = conversation_errors(
            name, conversations, sample_rate=rate, draws=draws, has_ends=_has_ends(recipe, name)
        )
        scored.append(replace(errors, real_time_factor=_real_time_factor(slabs, rate)))
    return scored


def _real_time_factor(slabs: Sequence[ConversationSlab], sample_rate: int) -> float | None:
    seconds = sum(slab.samples for slab in slabs) / sample_rate
    return round(sum(slab.spent for slab in slabs) / seconds, 5) if seconds else None


def _has_ends(recipe: Recipe, name: str) -> bool:
    learned = recipe.transducers[name].conversations
    return learned is not None and END in MARKS[learned.marks]
