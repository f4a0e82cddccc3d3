"""The decoding graph for a program that knows no look-ahead: its first frames are of no audio."""

from __future__ import annotations

import numpy as np

from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.hmm.transitions import Arrays
from ssl_asr.lang.fst_arrays import ARC


def after_silence(arrays: Arrays, frames: int) -> Arrays:
    """The same graph behind `frames` free frames of silence, which may also be left out.

    Where these frames allow nothing but silence, every path takes them, at no cost. After a reset the search begins
    in the middle of a stream, where no such frames come.
    """
    start, final, source, arcs = arrays
    first = len(final)
    chain = np.zeros(frames + 1, ARC)  # the arcs of silence, and the one past them
    chain["ilabel"][:frames] = SILENCE_SENONE + 1
    chain["nextstate"] = [*range(first + 1, first + frames), start, start] if frames else [start]
    sources = np.array([*range(first, first + frames), first], source.dtype)
    return (
        first,
        np.concatenate([final, np.full(max(frames, 1), np.inf, np.float32)]),
        np.concatenate([source, sources]),
        np.concatenate([arcs, chain]),
    )
