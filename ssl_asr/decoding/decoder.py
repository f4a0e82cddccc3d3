"""From scores to words: time-synchronous beam search over the decoding graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class DecodingGraph:
    """`fst` (kaldifst.StdConstFst) has input labels senone + 1; output labels are indices of `words`, from 1."""

    fst: Any
    words: tuple[str, ...]
    max_label: int


class Decoder:
    """Kaldi's FasterDecoder: the best path within `beam` of the best state and `max_active` states a frame."""

    def __init__(self, graph: DecodingGraph, beam: float, max_active: int) -> None:
        # The C++ decoder keeps a bare pointer to the graph: without this reference Python would free it under
        # the search, which ends in a segmentation fault.
        self._graph = graph
        self._options = kaldi_decoder.FasterDecoderOptions(beam=beam, max_active=max_active)
        self._search = kaldi_decoder.FasterDecoder(graph.fst, self._options)

    def decode(self, scores_ts: npt.NDArray[np.float32]) -> list[str]:
        """Words of the best path through scores [30 ms frames, senones]; none if there is no frame or no path.

        ValueError as `check_scores`.
        """
        check_scores(scores_ts, self._graph)
        if len(scores_ts) == 0:
            return []
        self._search.decode(kaldi_decoder.DecodableCtc(np.ascontiguousarray(scores_ts, np.float32)))
        found, path = self._search.get_best_path()
        if not found:
            return []
        _, _, word_ids, _ = kaldifst.get_linear_symbol_sequence(path)
        return [self._graph.words[number - 1] for number in word_ids]


def check_scores(scores_ts: npt.NDArray[np.float32], graph: DecodingGraph) -> None:
    """ValueError if scores are not finite or have fewer senones than the graph: a search checks neither."""
    if scores_ts.ndim != 2 or (len(scores_ts) and scores_ts.shape[1] < graph.max_label):
        raise ValueError(
            f"scores of shape {scores_ts.shape} do not fit a graph of {graph.max_label} senones; "
            f"the model and the graph are of different senone sets"
        )
    if not np.isfinite(scores_ts).all():
        raise ValueError("scores are not finite: the model or its features hold NaN or infinite values")
