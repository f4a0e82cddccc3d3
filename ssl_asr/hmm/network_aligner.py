"""Aligns utterances by the scores of a network, along the triphones of their texts.

One state a triphone at the network's frame rate, as in the decoding graph; three states would not fit 30 ms frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.stacking import STACK, stacked_length
from ssl_asr.hmm.recordings import Alignment
from ssl_asr.hmm.triphone_graph import triphone_graph
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.utterance import Utterance

Frames = npt.NDArray[np.floating]
Float32 = npt.NDArray[np.float32]
# Finite log-likelihoods, up to a constant a frame, of a batch: for the features [10 ms frames, mel bins] of each
# utterance its scores [30 ms frames, senones].
Scores = Callable[[Sequence[Frames]], Sequence[Float32]]
SCALE = 0.3  # of log-likelihoods against the costs of silences and of staying in a state
BATCH_FRAMES = 6000  # 30 ms frames of a batch of the network, with padding


class NetworkAligner:
    """For one shard. `before` are the alignments that it replaces: what has none there gets none."""

    def __init__(
        self,
        scores: Scores,
        *,
        table: npt.NDArray[np.uint16],
        lexicon: Lexicon,
        spoken: Mapping[str, Utterance],
        before: Mapping[str, Alignment],
    ) -> None:
        self._scores, self._table, self._lexicon = scores, table, lexicon
        self._spoken, self._before = spoken, before
        self._found: dict[str, npt.NDArray[np.uint16] | None] = {}
        self._frames = self._changed = 0

    def align_together(self, rows: Sequence[FeatureRow]) -> None:
        """Ask the network for those of `rows` that had an alignment, in batches of like length.

        A network's last bits depend on the batch, and the batches depend on the rows alone.
        """
        mine = [row for row in rows if len(self._before[row.id].senones)]
        self._found |= {row.id: None for row in mine}  # of those without a 30 ms frame
        for batch in batches_of_like_length([stacked_length(len(row.frames)) for row in mine], BATCH_FRAMES):
            together = [mine[place] for place in batch]
            for row, scores_ts in zip(together, self._scores([row.frames for row in together]), strict=True):
                self._found[row.id] = self._along_text(row, scores_ts)

    def align(self, row: FeatureRow) -> Alignment | str:
        """The confidence stays that of the text."""
        before = self._before[row.id]
        if not len(before.senones):
            return before
        if row.id not in self._found:
            self.align_together([row])
        after = self._found[row.id]
        if after is None:
            return f"no path through its text fits its {stacked_length(len(row.frames))} frames of 30 ms"
        self._frames += len(after)
        self._changed += int((after != before.senones).sum())
        return Alignment(after, before.confidence)

    def statistics(self) -> Mapping[str, Any]:
        """10 ms frames aligned again, and those of them with another senone."""
        return {"realigned_frames": self._frames, "changed_frames": self._changed}

    def _along_text(self, row: FeatureRow, scores_ts: Float32) -> npt.NDArray[np.uint16] | None:
        graph = triphone_graph((self._spoken[row.id].text or "").split(), self._lexicon)
        codes = graph.align(SCALE * scores_ts, self._table)
        return None if codes is None else spread(self._table.reshape(-1)[codes], len(row.frames))


def spread(senones: npt.NDArray[np.uint16], num_frames: int) -> npt.NDArray[np.uint16]:
    """Senones of 30 ms frames at offset 0 as those of `num_frames` frames of 10 ms; the last one fills a rest."""
    return senones[np.minimum(np.arange(num_frames) // STACK, len(senones) - 1)]
