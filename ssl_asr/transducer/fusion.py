"""Shallow fusion: a beam search adds a weighted n-gram's log-probabilities to those of the transducer.

Gulcehre et al., "On using monolingual corpora in neural machine translation" (2015).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssl_asr.lang.piece_ngram import PieceNgram
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.transducer.steps import Float32


class NgramFusion:
    """The `LabelScores` of a search: `lm_weight` x log p(label | labels before) + `label_bonus`.

    The end of a sentence is not scored, as a stream does not know where it ends.
    """

    def __init__(self, ngram: PieceNgram, settings: TransducerSearch) -> None:
        self._ngram, self._settings = ngram, settings

    def __call__(self, labels: Sequence[tuple[int, ...]]) -> Float32:
        logs_kv = np.stack([self._ngram.next_logs(self._ngram.history(each)) for each in labels])
        scores: Float32 = np.float32(self._settings.lm_weight) * logs_kv + np.float32(self._settings.label_bonus)
        return scores
