"""Recognises the test speech with the recipe's transducers by Ray tasks, and compares their word errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssl_asr.decoding.slabs import DecodedSlab, Slab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.emission_delays import emission_delays
from ssl_asr.evaluation.inputs import describe_transducer
from ssl_asr.evaluation.reference_times import SpokenTimes
from ssl_asr.evaluation.slab_tasks import Pieces, made_of_slabs
from ssl_asr.evaluation.summary import cells_of, reductions, score, word_errors
from ssl_asr.evaluation.transducer_results import EncoderCompute, TransducerErrors
from ssl_asr.recipe import Recipe, flops_of
from ssl_asr.runtime import cluster
from ssl_asr.store.utterance import Utterance
from ssl_asr.transducer.ngram_files import ensure_ngram
from ssl_asr.transducer.slabs import TransducerSystem, read_slab, recognise_slab


def recognise_slabs(recipe: Recipe, slabs: Sequence[Slab]) -> tuple[dict[str, list[DecodedSlab]], Pieces]:
    """Words of all slabs by each transducer, in their order; call it inside `cluster.joined`."""
    systems = [describe_transducer(recipe, name) for name in recipe.utterance_transducers]
    if not systems:
        return {}, Pieces()
    work = {system.name: [(system, slab) for slab in slabs] for system in systems}
    return made_of_slabs("transducers on test", work, read_slab, recognise_slab, before=_make_ngrams)


def _make_ngrams(todo: Sequence[tuple[TransducerSystem, Slab]]) -> None:
    """Once for each of the systems that need one."""
    for system in {system for system, _ in todo if system.ngram}:
        cluster.as_task(ensure_ngram)(system.run, system.name, system.search.lm_order)


def compare_transducers(
    recipe: Recipe,
    found: Mapping[str, Sequence[DecodedSlab]],
    utterances: Mapping[str, Utterance],
    spoken: SpokenTimes,
) -> list[TransducerErrors]:
    """Word errors, delays, FLOPs and time of each; of the second and later, how much fewer errors than the first.

    `spoken` says when the words were said.
    """
    scored = {name: score(utterances, decoded) for name, decoded in found.items()}
    draws, first = Draws(recipe.evaluate.bootstrap, recipe.seed), next(iter(scored), "")
    return [
        TransducerErrors(
            name,
            word_errors({name: each}, draws),
            [] if name == first else reductions(scored[first], each, draws),
            emission_delays(cells_of(each), found[name], utterances, spoken),
            _compute(found[name], flops_of(recipe.transducers[name].network)),
            recipe.transducers[name].search.lm_weight,
            _real_time_factor(found[name]),
        )
        for name, each in scored.items()
    ]


def _real_time_factor(decoded: Sequence[DecodedSlab]) -> float | None:
    seconds = sum(slab.seconds for slab in decoded)
    return round(sum(slab.spent for slab in decoded) / seconds, 5) if seconds else None


def _compute(decoded: Sequence[DecodedSlab], equal_to: str) -> EncoderCompute | None:
    """None where nothing was heard."""
    frames = sum(each.frames for slab in decoded for each in slab.hypotheses)
    counted = [slab.flops for slab in decoded if slab.flops is not None]
    if not frames or not counted:
        return None
    spent, whole = sum(each.spent for each in counted), sum(each.whole for each in counted)
    return EncoderCompute(spent / frames, whole / frames, equal_to)
