"""From a raw lattice to one whose every arc crosses a frame: arcs without a senone are folded into those before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.sequence.lattices import Arcs, Lattice, assemble, ranges
from ssl_asr.sequence.raw_lattices import RawLattice


def fold(raw: RawLattice) -> Lattice:
    """The same complete paths, with the same costs and words; ValueError if there is none.

    An arc with a senone takes over the arcs without one that follow it, up to a state from which a senone leaves or
    where a path ends. So paths that meet in a state of the language model stay one node.
    """
    emits = raw.ilabels > 0
    final_costs = raw.final_costs.astype(np.float64)
    lasting = np.isfinite(final_costs)
    lasting[raw.sources[emits]] = True
    walk = _Silent(raw, np.flatnonzero(~emits))
    arcs = walk.extended(_arcs(raw, np.flatnonzero(emits)), lasting)
    start, none = np.array([raw.start], np.int32), np.zeros(1, np.int32)
    starts = walk.extended(Arcs(start, start, none, np.zeros(1, np.float32), none[:, None]), lasting)
    if not len(starts):
        raise ValueError("no path of the lattice is complete")
    return _started(starts, final_costs, arcs)


def _arcs(raw: RawLattice, places: npt.NDArray[np.intp]) -> Arcs:
    return Arcs(
        raw.sources[places],
        raw.targets[places],
        raw.ilabels[places] - 1,
        raw.costs[places],
        raw.olabels[places][:, None],
    )


class _Silent:
    """The arcs of a raw lattice without a senone, by source."""

    def __init__(self, raw: RawLattice, places: npt.NDArray[np.intp]) -> None:
        places = places[np.argsort(raw.sources[places], kind="stable")]
        self.targets, self.costs, self.words = raw.targets[places], raw.costs[places], raw.olabels[places]
        self.first = np.searchsorted(raw.sources[places], np.arange(len(raw.final_costs) + 1))

    def extended(self, arcs: Arcs, lasting: npt.NDArray[np.bool_]) -> Arcs:
        """`arcs`, each with every sequence of silent arcs after it that leads to a `lasting` state."""
        found = []
        for _ in range(len(lasting)):
            found.append(arcs.take(np.flatnonzero(lasting[arcs.targets])))
            begins, ends = self.first[arcs.targets], self.first[arcs.targets + 1]
            before, silent = np.repeat(np.arange(len(arcs)), ends - begins), ranges(begins, ends)
            if not len(silent):
                return _joined(found)
            longer = arcs.take(before)
            arcs = Arcs(
                longer.sources,
                self.targets[silent],
                longer.senones,
                longer.costs + self.costs[silent],
                _followed(longer.words, self.words[silent, None]),
            )
        raise ValueError("the lattice has a cycle of arcs without a senone")


def _followed(words: npt.NDArray[np.int32], more: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Both [A, W] as one, without holes, as wide as its longest row but at least 1."""
    both = np.hstack([words, more])
    both = np.take_along_axis(both, np.argsort(both == 0, axis=1, kind="stable"), axis=1)
    return both[:, : max(1, np.count_nonzero(both, axis=1).max(initial=0))]


def _joined(found: list[Arcs]) -> Arcs:
    width = max(each.words.shape[1] for each in found)
    return Arcs(
        np.concatenate([each.sources for each in found]),
        np.concatenate([each.targets for each in found]),
        np.concatenate([each.senones for each in found]),
        np.concatenate([each.costs for each in found]),
        np.concatenate([np.pad(each.words, ((0, 0), (0, width - each.words.shape[1]))) for each in found]),
    )


def _started(starts: Arcs, final_costs: npt.NDArray[np.float64], arcs: Arcs) -> Lattice:
    """With a node of its own before all `starts`: its arcs are theirs, each at the price of getting there."""
    start = len(final_costs)
    order = np.argsort(arcs.sources, kind="stable")
    first = np.searchsorted(arcs.sources[order], np.arange(start + 1))
    begins, ends = first[starts.targets], first[starts.targets + 1]
    by, leaving = np.repeat(np.arange(len(starts)), ends - begins), order[ranges(begins, ends)]
    copied = arcs.take(leaving)
    copied = Arcs(
        np.full(len(copied), start, np.int32),
        copied.targets,
        copied.senones,
        copied.costs + starts.costs[by],
        _followed(starts.words[by], copied.words),
    )
    return assemble(start, np.append(final_costs, np.inf), _joined([arcs, copied]))
