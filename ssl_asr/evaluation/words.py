"""The evaluate stage's part on words: posteriors by lattices, confidences by dev, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slab_words import SlabWords
from ssl_asr.decoding.slabs import Slab, System
from ssl_asr.evaluation.confidence import Curve
from ssl_asr.evaluation.reference_times import SpokenTimes
from ssl_asr.evaluation.slab_tasks import words_of
from ssl_asr.evaluation.word_files import Confidences, write_alternatives, write_ctm
from ssl_asr.evaluation.word_quality import learn_curve, measure_words, words_by_utterance, write_word_quality
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import alternatives_folder, ctm_folder, words_uri
from ssl_asr.store.utterance import Utterance

# Of dev, at most so many slabs, spread over all of it, teach the curve of confidences: three parameters need no more.
_CURVE_SLABS = 5


@dataclass(frozen=True)
class Words:
    """By model, of a part of dev and of all of test; `spoken` says when words of test were said."""

    dev: Mapping[str, Sequence[SlabWords]]
    test: Mapping[str, Sequence[SlabWords]]
    spoken: SpokenTimes


def find_words_of(
    recipe: Recipe,
    wanted: Mapping[System, Scales],
    *,
    dev: Sequence[Slab],
    test: Sequence[Slab],
    spoken: SpokenTimes,
) -> Words:
    """Of slabs that were decoded with these scales; `spoken` in test."""
    beam = recipe.evaluate.lattice_beam
    taught = dev[:: -(-len(dev) // _CURVE_SLABS)]
    return Words(
        words_of("lattices of dev", wanted, taught, beam),
        words_of("lattices of test", wanted, test, beam),
        spoken,
    )


def publish_words(
    recipe: Recipe,
    words: Words | None,
    *,
    models: Mapping[str, str],
    dev: Mapping[str, Utterance],
    test: Mapping[str, Utterance],
) -> dict[str, Confidences]:
    """Write the files of the words, or delete those of before if there are none; confidences by system.

    `models` are those of the systems.
    """
    run, quality, confidences = recipe.run, {}, {}
    for uri in (ctm_folder(run), alternatives_folder(run), words_uri(run)):
        filesystem.delete(uri)
    if words is None:
        return {}
    seconds = sum(each.duration for each in test.values())
    for system, model in models.items():
        found, curve = words.test[model], learn_curve(words.dev[model], dev)
        quality[system] = measure_words(found, test, curve=curve, spoken=words.spoken, seconds=seconds)
        confidences[system] = _confidences(found, curve or Curve())
        write_ctm(run, system, words_by_utterance(found), confidences[system])
        write_alternatives(run, system, found)
    write_word_quality(run, quality)
    return confidences


def _confidences(found: Sequence[SlabWords], curve: Curve) -> Confidences:
    confidences: dict[str, list[float | None]] = {}
    for name, words in words_by_utterance(found).items():
        posteriors = np.array([np.nan if each.posterior is None else each.posterior for each in words], np.float64)
        known = curve.confidences(posteriors, np.array([each.duration for each in words], np.float64))
        confidences[name] = [None if np.isnan(each) else round(float(each), 3) for each in known]
    return confidences
