"""What a lattice says of words: how probable those of a hypothesis are, and which other sentences it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ssl_asr.hmm.word_times import WordTime
from ssl_asr.lang.fst_arrays import ARC, from_numpy, to_numpy
from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.best_path import prune
from ssl_asr.sequence.forward_backward import forward_backward
from ssl_asr.sequence.lattices import Float, Lattice

# Frames by which a word may lie earlier or later on another path and still be the same word.
_MARGIN = 3
# Sentences come from paths that are at most so much worse than the best: the first of these beams that leaves no more
# arcs a frame than this, because determinization is exponential in the worst case.
_SENTENCE_BEAMS = (4.0, 3.0, 2.0, 1.0)
_MAX_DENSITY = 30.0
_CANDIDATES = 10  # at least so many sentences with the best paths are compared by all their paths


@dataclass(frozen=True, eq=False)
class OccupiedLattice:
    """A lattice with the probability of each arc [A], and the log-likelihood of all paths together."""

    lattice: Lattice
    scores_ts: npt.NDArray[np.floating]
    occupancies: Float
    log_likelihood: float


@dataclass(frozen=True)
class Sentence:
    """Word ids; `log_probability` is of all paths that say just these words, among all paths of the lattice."""

    words: tuple[int, ...]
    log_probability: float


def occupy(lattice: Lattice, scores_ts: npt.NDArray[np.floating]) -> OccupiedLattice:
    """With the scores [frames, senones] that it was made by; ValueError where probabilities underflow."""
    batch, scores = concatenate([lattice]), lattice.scores(scores_ts)
    found = forward_backward(batch, scores[batch.places])
    if len(found.lost):
        raise ValueError("the probabilities of the lattice underflow")
    occupancies = np.empty(len(scores))
    occupancies[batch.places] = found.occupancies
    return OccupiedLattice(lattice, scores_ts, occupancies, float(found.log_likelihoods[0]))


def word_posteriors(occupied: OccupiedLattice, words: Sequence[int], times: Sequence[WordTime]) -> list[float]:
    """For each of `words`, the probability of the paths that say it at about that time.

    A graph's output label lies between one phone before the word and its last frame, so a word is looked for there.
    """
    frames, spoken = occupied.lattice.frames, occupied.lattice.arcs.words
    posteriors = []
    for word, (begin, end) in zip(words, _windows(words, times), strict=True):
        near = (frames >= begin) & (frames < end)
        said = (spoken == word).any(axis=1)
        posteriors.append(min(1.0, float(occupied.occupancies[near & said].sum())))
    return posteriors


def _windows(words: Sequence[int], times: Sequence[WordTime]) -> list[tuple[float, float]]:
    """Frames in which the label of each word may lie. One label must not count for two words that are the same."""
    windows: list[tuple[float, float]] = []
    last: dict[int, int] = {}
    for place, (word, time) in enumerate(zip(words, times, strict=True)):
        begin, end = float(time.before - _MARGIN), float(time.end + _MARGIN)
        if word in last and windows[last[word]][1] > begin:
            before = times[last[word]]
            border = (before.before + before.end + time.before + time.end) / 4
            windows[last[word]] = (windows[last[word]][0], border)
            begin = border
        windows.append((begin, end))
        last[word] = place
    return windows


def best_sentences(occupied: OccupiedLattice, most: int) -> list[Sentence]:
    """The most probable ones of those with the best paths, at most so many, each once; the best first.

    The best paths of a lattice are mostly one sentence at other times. So first the words alone are determinized.
    """
    near = _near_best(occupied)
    words = kaldifst.StdVectorFst(_word_acceptor(near, near.scores(occupied.scores_ts)))
    kaldifst.rmepsilon(words)
    words = kaldifst.determinize(words)
    kaldifst.minimize(words)
    best = dict(_linear_paths(kaldifst.shortest_path(words, max(most, _CANDIDATES))))
    together = _log_likelihoods(occupied, list(best))
    # Where that underflows, there is still the best path.
    together = np.where(np.isfinite(together), together, [-cost for cost in best.values()])
    probabilities = np.minimum(together - occupied.log_likelihood, 0.0).tolist()
    sentences = [Sentence(each, value) for each, value in zip(best, probabilities, strict=True)]
    return sorted(sentences, key=lambda each: (-each.log_probability, each.words))[:most]


def _log_likelihoods(occupied: OccupiedLattice, sentences: Sequence[Sequence[int]]) -> Float:
    """For each sentence [S], that of all paths that say just its words, at whatever times."""
    lattice, longest = occupied.lattice, max(map(len, sentences), default=0)
    said = np.zeros((len(sentences), longest), np.int32)
    for number, words in enumerate(sentences):
        said[number, : len(words)] = words
    values = lattice.scores(occupied.scores_ts) - lattice.arcs.costs
    # Of paths as far as a boundary's nodes, by the number of words said: [nodes, S, longest + 1], scaled every frame.
    reached, log_totals = np.zeros((1, len(sentences), longest + 1)), np.zeros(len(sentences))
    reached[:, :, 0] = 1
    with np.errstate(all="ignore"):
        for frame, (first, middle, end) in enumerate(sliding_window_view(lattice.first_nodes, 3)):
            arcs = slice(*lattice.first_arcs[frame : frame + 2])
            peak = values[arcs].max()
            weights = np.exp(values[arcs] - peak)
            moved = reached[lattice.arcs.sources[arcs] - first] * weights[:, None, None]
            for spoken in lattice.arcs.words[arcs].T:
                on = np.flatnonzero(spoken)
                moved[on, :, 1:] = moved[on, :, :-1] * (said == spoken[on, None, None])
                moved[on, :, 0] = 0
            reached = np.zeros((end - middle, *reached.shape[1:]))
            np.add.at(reached, lattice.arcs.targets[arcs] - middle, moved)
            totals = reached.sum(axis=(0, 2))
            log_totals += np.log(totals) + peak
            reached /= totals[:, None]
        complete = reached[:, np.arange(len(sentences)), [len(words) for words in sentences]]
        found: Float = log_totals + np.log(np.exp(-lattice.final_costs.astype(np.float64)) @ complete)
    return found


def _near_best(occupied: OccupiedLattice) -> Lattice:
    near = occupied.lattice
    for beam in _SENTENCE_BEAMS:
        near = prune(near, near.scores(occupied.scores_ts), beam)
        if near.density <= _MAX_DENSITY:
            break
    return near


def _word_acceptor(lattice: Lattice, scores: Float) -> Any:
    """kaldifst.StdConstFst of the words on all paths, with their costs. An arc of several words becomes a chain."""
    arcs = lattice.arcs
    lengths = np.maximum(np.count_nonzero(arcs.words, axis=1), 1)
    arc = np.repeat(np.arange(len(arcs)), lengths)
    place = np.arange(len(arc)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first, last = place == 0, place == lengths[arc] - 1
    between = lattice.num_nodes - 1 + np.cumsum(~first)  # the state before each link that is not the first
    links = np.zeros(len(arc), ARC)
    links["ilabel"] = links["olabel"] = arcs.words[arc, place]
    links["weight"] = np.where(first, (arcs.costs - scores)[arc], 0)
    links["nextstate"] = np.where(last, arcs.targets[arc], between + 1)
    final = np.full(lattice.num_nodes + (~first).sum(), np.inf, np.float32)
    final[lattice.first_nodes[-2] : lattice.num_nodes] = lattice.final_costs
    return from_numpy(0, final, np.where(first, arcs.sources[arc], between), links)


def _linear_paths(paths: Any) -> Iterator[tuple[tuple[int, ...], float]]:
    """(labels, cost) of each path of a kaldifst.StdVectorFst in which only the start branches."""
    start, final, source, arcs = to_numpy(paths)
    if start < 0:
        return
    following = dict(zip(source.tolist(), arcs, strict=True))  # of the start, the last one counts: it is not used
    for arc in arcs[source == start]:
        labels, cost = [], 0.0
        while True:
            labels += [int(arc["ilabel"])] if arc["ilabel"] else []
            cost += float(arc["weight"])
            state = int(arc["nextstate"])
            if state not in following:
                break
            arc = following[state]
        yield tuple(labels), cost + float(final[state])
    if np.isfinite(final[start]):
        yield (), float(final[start])
