"""The most likely state sequence of an utterance through the graph of its text."""

from __future__ import annotations

from typing import Any

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt

# Frame scores are scaled as in Kaldi's aligner, so a beam of 10 means 100 nats. The narrow beam is enough for most
# utterances; the widest beam prunes almost nothing.
SCALE = 0.1
BEAMS = (10.0, 40.0, 400.0)

Labels = npt.NDArray[np.int32]


def graph_states(graph: Any) -> Labels:
    """The states that occur in a transcript's graph, ascending."""
    arcs = (arc for state in kaldifst.StateIterator(graph) for arc in kaldifst.ArcIterator(graph, state))
    return np.array(sorted({arc.ilabel - 1 for arc in arcs if arc.ilabel}), np.int32)


def align(graph: Any, log_likelihoods: npt.NDArray[np.floating], states: Labels) -> Labels | None:
    """State of each frame, int32 [T]; None if no path of the graph fits T frames.

    `log_likelihoods` [T, len(states)] are those of `states`, all that the graph has, ascending.
    """
    scores = np.zeros((len(log_likelihoods), int(states[-1]) + 1), np.float32)
    scores[:, states] = SCALE * log_likelihoods
    return best_path(graph, scores)


def best_path(graph: Any, scores: npt.NDArray[np.float32]) -> Labels | None:
    """Class of each frame, int32 [T], on the best path of a graph with input label c + 1 of class c.

    `scores` [T, classes], C-contiguous, are scaled log-likelihoods. None if no path of the graph fits T frames.
    """
    for beam in BEAMS:
        decoder = kaldi_decoder.FasterDecoder(graph, kaldi_decoder.FasterDecoderOptions(beam=beam))
        decoder.decode(kaldi_decoder.DecodableCtc(scores))
        if decoder.reached_final():
            path = decoder.get_best_path()[1]
            return np.array(kaldifst.get_linear_symbol_sequence(path)[1], np.int32) - 1
    return None


def align_equally(path: Labels, num_frames: int) -> Labels | None:
    """State of each frame [num_frames] if all states of `path` last equally long; None if `path` is longer.

    kaldifst.equal_align is not used: it draws its path with C's rand(), which other threads of a worker call too.
    """
    if len(path) > num_frames:
        return None
    return path[np.arange(num_frames) * len(path) // num_frames]
