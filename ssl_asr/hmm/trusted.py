"""Model and triphones without the utterances whose texts are in doubt.

The flat start learns wrong texts with the others, so that they fit its model better than they should. Without them
in the model they stand out, and the alignments of the others gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.flat_model import Aligned, FlatModel
from ssl_asr.hmm.flat_start import MapChunks
from ssl_asr.hmm.mixtures import SufficientStatistics, estimate, no_moments
from ssl_asr.hmm.text_check import DOUBTED_BELOW, Texts, align_and_check
from ssl_asr.hmm.tree import TriphoneTotals, totals_of
from ssl_asr.progress import Progress

ITERATIONS = 2  # an utterance that the second model believes again counts again


def trusted_model(map_chunks: MapChunks, model: FlatModel) -> FlatModel:
    """`model` estimated again from the utterances whose texts are not in doubt; as it is where there are none."""
    progress = Progress("without doubted texts", ITERATIONS, "iterations")
    for _ in range(ITERATIONS):
        sums = reduce(add, map_chunks(trusted_moments, model))
        if not sums.count.sum():
            return model
        model = replace(model, mixtures=estimate(sums))
        progress.advance()
    return model


def trusted_moments(chunk: Sequence[Transcribed], model: FlatModel) -> SufficientStatistics:
    """Moments of the components in a chunk."""
    trusted = _trusted(chunk, model)
    if not trusted:
        return no_moments(*model.mixtures.means.shape)
    frames = np.concatenate([one.frames for one in trusted])
    return model.mixtures.moments(frames, np.concatenate([one.labels for one in trusted]))


def trusted_totals(chunk: Sequence[Transcribed], model: FlatModel) -> TriphoneTotals:
    """Totals of the triphones in a chunk."""
    return totals_of(_trusted(chunk, model), model)


def _trusted(chunk: Sequence[Transcribed], model: FlatModel) -> list[Aligned]:
    """What could be aligned and is not in doubt; texts of the chunk are rivals of each other."""
    texts = Texts(chunk)
    found = (align_and_check(model, one, texts.rivals(one)) for one in chunk)
    return [
        aligned
        for aligned, check in found
        if aligned is not None and (check is None or check.probability >= DOUBTED_BELOW)
    ]
