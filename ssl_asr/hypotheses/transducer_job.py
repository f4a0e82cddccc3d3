"""One shard of hypotheses from one shard of unlabeled features, by a transducer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ssl_asr.frontend.stacking import stack
from ssl_asr.hypotheses.content import Words
from ssl_asr.hypotheses.sets import HypothesisSet
from ssl_asr.hypotheses.transducer_teacher import TransducerTeacher
from ssl_asr.hypotheses.words_job import BATCH_FRAMES, WordsJob, rejected
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.recipe import Recipe
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.hypotheses import TimedWord
from ssl_asr.store.ledger import Reject
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model_files import load_transducer
from ssl_asr.transducer.recognise import recognise
from ssl_asr.transducer.words import emitted_words

_NOT_FINITE = "the model or its features hold NaN or infinite values"


class TransducerJob(WordsJob):
    """Words have the frames in which the transducer put them out, and the product of their pieces' posteriors."""

    def __init__(self, recipe: Recipe, made: HypothesisSet, teacher: TransducerTeacher) -> None:
        super().__init__(recipe, made)
        self._model, self._pieces, _ = load_transducer(teacher.uri)
        self._search = teacher.search

    def recognise(self, heard: Sequence[FeatureRow]) -> tuple[dict[str, Words], list[Reject]]:
        found: dict[str, Words] = {row.id: () for row in heard}  # of those without a 30 ms frame
        frames = [torch.from_numpy(stack(row.frames)).float() for row in heard]
        finite = [bool(torch.isfinite(each).all()) for each in frames]
        bad = [index for index, fits in enumerate(finite) if not fits]
        lengths = [len(each) if fits else 0 for each, fits in zip(frames, finite, strict=True)]
        for batch in batches_of_like_length(lengths, BATCH_FRAMES):
            spoken = recognise(self._model, [frames[index] for index in batch], self._search)
            for index, (best, *_) in zip(batch, spoken, strict=True):
                if math.isfinite(best.log_probability):
                    found[heard[index].id] = self._words(best)
                else:
                    bad.append(index)
        for index in bad:
            del found[heard[index].id]
        return found, [rejected(heard[index].id, _NOT_FINITE) for index in bad]

    def _words(self, best: Hypothesis) -> Words:
        return tuple(
            TimedWord(each.word, each.first, each.last + 1, each.confidence)
            for each in emitted_words(best, self._pieces)
        )
