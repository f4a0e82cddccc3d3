"""From scores to words: time-synchronous beam search over the decoding graph."""

from __future__ import annotations

import math
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


@dataclass(frozen=True)
class BestPath:
    """Ids of `words`, the `senones` of its frames [frames], and its cost: what the others are compared with."""

    words: tuple[int, ...]
    senones: npt.NDArray[np.int32]
    cost: float


class Search:
    """Kaldi's FasterDecoder, frame by frame: the best path within `beam` of the best state, and `max_active` states.

    Scores may come in pieces of any length: the search is the same.
    """

    def __init__(self, graph: DecodingGraph, beam: float, max_active: int) -> None:
        # The C++ decoder keeps a bare pointer to the graph: without this reference Python would free it under
        # the search, which ends in a segmentation fault.
        self._graph = graph
        self._options = kaldi_decoder.FasterDecoderOptions(beam=beam, max_active=max_active)
        self.begin()

    def begin(self) -> None:
        """Forget all frames."""
        # A new one, which takes microseconds: an old one keeps the size of its hash table, which decides in which
        # order states are visited, and so, in the last digits, which of them the beam leaves out.
        self._search = kaldi_decoder.FasterDecoder(self._graph.fst, self._options)
        self._search.init_decoding()
        self.frames = 0
        self._paths: dict[bool, BestPath | None] = {}  # of the frames so far, as far as they were asked for

    def advance(self, scores_ts: npt.NDArray[np.float32]) -> None:
        """By scores [30 ms frames, senones]; ValueError as `check_scores`, then nothing has changed."""
        check_scores(scores_ts, self._graph)
        if len(scores_ts):
            frames = kaldi_decoder.DecodableCtc(np.ascontiguousarray(scores_ts, np.float32), self.frames)
            self._search.advance_decoding(frames)
            self.frames += len(scores_ts)
            self._paths = {}

    def best_path(self, ends: bool) -> BestPath | None:
        """Of the frames so far; with `ends`, as if the last word ends here, where it may. None if no path is left."""
        if not self.frames:
            return BestPath((), np.zeros(0, np.int32), 0.0)
        if ends not in self._paths:
            found, path = self._search.get_best_path(ends)
            self._paths[ends] = _best_path(path) if found else None
        return self._paths[ends]

    def relative_cost(self) -> float:
        """Nats by which ending here is worse than going on, as Kaldi's FinalRelativeCost; infinity if impossible."""
        if not self._search.reached_final():
            return math.inf
        ending, going_on = self.best_path(ends=True), self.best_path(ends=False)
        return ending.cost - going_on.cost if ending is not None and going_on is not None else math.inf


def _best_path(path: Any) -> BestPath:
    """Of kaldi-decoder's linear lattice."""
    _, labels, word_ids, weight = kaldifst.get_linear_symbol_sequence(path)
    return BestPath(tuple(word_ids), np.array(labels, np.int32) - 1, weight.value1 + weight.value2)


class Decoder:
    """The search for whole utterances."""

    def __init__(self, graph: DecodingGraph, beam: float, max_active: int) -> None:
        self._graph = graph
        self._search = Search(graph, beam, max_active)

    def decode(self, scores_ts: npt.NDArray[np.float32]) -> list[str]:
        """Words of the best path through scores [30 ms frames, senones]; none if there is no frame or no path.

        ValueError as `check_scores`.
        """
        self._search.begin()
        self._search.advance(scores_ts)
        path = self._search.best_path(ends=True)
        return [] if path is None else [self._graph.words[number - 1] for number in path.words]


def check_scores(scores_ts: npt.NDArray[np.float32], graph: DecodingGraph) -> None:
    """ValueError if scores are not finite or have fewer senones than the graph: a search checks neither."""
    if scores_ts.ndim != 2 or (len(scores_ts) and scores_ts.shape[1] < graph.max_label):
        raise ValueError(
            f"scores of shape {scores_ts.shape} do not fit a graph of {graph.max_label} senones; "
            f"the model and the graph are of different senone sets"
        )
    if not np.isfinite(scores_ts).all():
        raise ValueError("scores are not finite: the model or its features hold NaN or infinite values")
