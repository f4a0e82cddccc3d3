"""From scores to a lattice: all paths near the best, for sequence training, confidences and alternatives."""

from __future__ import annotations

import math

import kaldi_decoder
import numpy as np
import numpy.typing as npt

from ssl_asr.decoding.decoder import DecodingGraph, check_scores
from ssl_asr.sequence.best_path import prune
from ssl_asr.sequence.folding import fold
from ssl_asr.sequence.lattices import Lattice
from ssl_asr.sequence.raw_lattices import read_raw

# Frames after which the search drops tokens from which no path within the lattice beam can come any more. The lattice
# is the same for any interval. Kaldi's 25 is for frames of 10 ms and searches of hours; it takes a sixth more time.
_PRUNE_INTERVAL = 100


class LatticeDecoder:
    """Kaldi's LatticeSimpleDecoder, without a limit of active states: give it a small `beam` and a weak grammar.

    A lattice holds the paths within `lattice_beam` of the best one.
    """

    def __init__(self, graph: DecodingGraph, beam: float, lattice_beam: float) -> None:
        self._graph = graph  # the search keeps a bare pointer, as in `decoder.py`
        self.lattice_beam = lattice_beam
        self._options = kaldi_decoder.LatticeSimpleDecoderConfig(beam=beam, lattice_beam=lattice_beam)
        self._options.prune_interval = _PRUNE_INTERVAL

    def decode(self, scores_ts: npt.NDArray[np.float32]) -> Lattice:
        """Of scores [30 ms frames, senones]; ValueError if no path ends within the beam, or as `check_scores`."""
        check_scores(scores_ts, self._graph)
        if len(scores_ts) == 0:
            raise ValueError("there is no frame")
        frames = kaldi_decoder.DecodableCtc(np.ascontiguousarray(scores_ts, np.float32))
        search = kaldi_decoder.LatticeSimpleDecoder(self._graph.fst, self._options)  # a new one, as in `decoder.py`
        search.decode(frames)
        if not math.isfinite(search.final_relative_cost()):
            raise ValueError("no path within the beam ends with the last frame")
        _, found = search.get_raw_lattice()
        lattice = fold(read_raw(found))
        return prune(lattice, lattice.scores(scores_ts), self.lattice_beam)
