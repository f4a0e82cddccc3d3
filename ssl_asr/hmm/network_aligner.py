"""Aligns utterances by the scores of a network, along the triphones of their texts.

One state a triphone at the network's frame rate, as in the decoding graph; three states would not fit 30 ms frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.stacking import STACK, stacked_length
from ssl_asr.hmm.recordings import Alignment
from ssl_asr.hmm.triphone_graph import triphone_graph
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.text import normalise
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.utterance import Utterance

# Log-likelihoods, up to a constant a frame, [30 ms frames, senones] of features [10 ms frames, mel bins].
Scores = Callable[[npt.NDArray[np.floating]], npt.NDArray[np.float32]]
SCALE = 0.3  # of log-likelihoods against the costs of silences and of staying in a state


class NetworkAligner:
    """For one shard. `before` are the alignments that it replaces: what has none there gets none."""

    def __init__(
        self,
        scores: Scores,
        table: npt.NDArray[np.uint16],
        lexicon: Lexicon,
        spoken: Mapping[str, Utterance],
        before: Mapping[str, Alignment],
    ) -> None:
        self._scores, self._table, self._lexicon = scores, table, lexicon
        self._spoken, self._before = spoken, before
        self._frames = self._changed = self._kept = 0

    def align(self, row: FeatureRow) -> Alignment:
        """The confidence stays that of the text; an utterance that no path fits keeps the alignment that it had."""
        before = self._before[row.id]
        if not len(before.senones):
            return before
        after = self._realigned(row)
        if after is None:
            self._kept += 1
            return before
        self._frames += len(after)
        self._changed += int((after != before.senones).sum())
        return Alignment(after, before.confidence)

    def statistics(self) -> Mapping[str, Any]:
        """10 ms frames aligned again, those of them with another senone, and utterances that no path fits."""
        return {"realigned_frames": self._frames, "changed_frames": self._changed, "not_realigned": self._kept}

    def _realigned(self, row: FeatureRow) -> npt.NDArray[np.uint16] | None:
        if not stacked_length(len(row.frames)):
            return None
        graph = triphone_graph(normalise(self._spoken[row.id].text or "").split(), self._lexicon)
        codes = graph.align(SCALE * self._scores(row.frames), self._table)
        return None if codes is None else spread(self._table.reshape(-1)[codes], len(row.frames))


def spread(senones: npt.NDArray[np.uint16], num_frames: int) -> npt.NDArray[np.uint16]:
    """Senones of 30 ms frames at offset 0 as those of `num_frames` frames of 10 ms; the last one fills a rest."""
    return senones[np.minimum(np.arange(num_frames) // STACK, len(senones) - 1)]
