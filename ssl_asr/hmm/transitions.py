"""The HMM topology of the decoding graph: one state per tied triphone, left after one frame or more.

At 30 ms a phone lasts two or three frames. So the model of a phone is one state with a self-loop: a three-state phone
would not fit most utterances at this rate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.lang.fst_arrays import ARC, to_numpy

# Cost of staying one frame longer. It is small against acoustic scores of several nats a frame, as with Kaldi's
# self-loop scale of 0.1: senone posteriors already model how long a phone lasts.
STAY_COST = 0.1

Arrays = tuple[int, npt.NDArray[np.float32], npt.NDArray[np.integer], npt.NDArray[np.void]]


def add_self_loops(graph: Any) -> Arrays:
    """`graph` (kaldifst, senone + 1 on the arcs) with a loop after every senone, as `fst_arrays.from_numpy` takes it.

    A loop sits on the state that a senone's arcs lead to if nothing else leads there. Otherwise a state is
    made that only this senone enters, with the loop, and a free arc to the old one: a state that two senones
    enter cannot carry both loops, for that would let one follow the other.
    """
    start, final, source, arcs = to_numpy(graph)
    states = len(final)
    emits = arcs["ilabel"] > 0
    entries = np.stack([arcs["nextstate"][emits], arcs["ilabel"][emits]], axis=1)
    pairs, pair_of_arc = np.unique(entries, axis=0, return_inverse=True)
    entered, senone = pairs[:, 0], pairs[:, 1]

    entered_silently = np.bincount(arcs["nextstate"][~emits], minlength=states) > 0
    entered_silently[start] = True
    own = (np.bincount(entered, minlength=states)[entered] == 1) & ~entered_silently[entered]
    looping = entered.copy()
    looping[~own] = states + np.arange((~own).sum())

    arcs["nextstate"][emits] = looping[pair_of_arc.ravel()]
    loops = _arcs(senone, STAY_COST, looping)
    leaving = _arcs(np.zeros((~own).sum(), np.int32), 0.0, entered[~own])
    return (
        start,
        np.concatenate([final, np.full(len(leaving), np.inf, np.float32)]),
        np.concatenate([source, looping, looping[~own]]),
        np.concatenate([arcs, loops, leaving]),
    )


def _arcs(
    ilabels: npt.NDArray[np.integer], weight: float, nextstates: npt.NDArray[np.integer]
) -> npt.NDArray[np.void]:
    arcs = np.zeros(len(ilabels), ARC)
    arcs["ilabel"], arcs["weight"], arcs["nextstate"] = ilabels, weight, nextstates
    return arcs
