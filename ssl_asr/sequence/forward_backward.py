"""Forward-backward over a batch of lattices: arc occupancies, and the expected accuracy of paths with its gradient.

Expected accuracy and its gradient: Kingsbury, "Lattice-based optimization of sequence classification criteria for
neural-network acoustic modeling" (2009); Vesely, Ghoshal, Burget and Povey, "Sequence-discriminative training of
deep neural networks" (2013). Probabilities are scaled in every frame (Rabiner 1989): a frame is one gather and two
histograms, without a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.sequence.batches import Index, LatticeBatch
from ssl_asr.sequence.lattices import Float

# Occupancies of a frame sum to 1 but for rounding, unless probabilities have underflowed.
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Occupancies:
    """Of each arc [A], in the order of the batch, and of each utterance [U].

    `occupancies` is the probability that a path passes the arc. `log_likelihoods` are of all paths together.
    `accuracies` are the expected sums of the accuracies along a path, and `gradients` [A] those of the sum of
    `accuracies` by the arcs' scores: occupancy times (expected accuracy of the paths through the arc minus that of
    all paths). Where `lost`, some paths are so improbable beside others, more than e^700, that nothing can be said:
    all values of such an utterance are 0.
    """

    occupancies: Float
    log_likelihoods: Float
    accuracies: Float
    gradients: Float
    lost: Index


def forward_backward(batch: LatticeBatch, scores: Float, accuracies: Float | None = None) -> Occupancies:
    """Of paths with the probability e^(scores - costs), normalised for each utterance.

    `scores` [A] are the acoustic scores of the arcs, and `accuracies` [A] what each arc is worth; None: nothing.
    """
    with np.errstate(all="ignore"):  # an utterance of which the probabilities underflow is told as lost
        weights, peaks = _weights(batch, scores)
        worth = np.zeros(len(weights)) if accuracies is None else accuracies
        forward, forward_worth, log_totals = _forward(batch, weights, worth)
        backward, backward_worth, end_totals = _backward(batch, weights, worth, forward)
        occupancies = forward[batch.sources] * weights * backward[batch.targets]
        through = forward_worth[batch.sources] + worth + backward_worth[batch.targets]
        utterances = batch.arc_utterances
        expected = backward_worth[: len(batch.num_frames)]  # every utterance has one node at the first boundary
        gradients = occupancies * (through - expected[utterances])
        log_likelihoods = log_totals + peaks + np.log(end_totals)
        lost = _lost(batch, occupancies) | ~np.isfinite(log_likelihoods)
    for values in (log_likelihoods, expected):
        values[lost] = 0
    for values in (occupancies, gradients):
        values[lost[utterances]] = 0
    return Occupancies(occupancies, log_likelihoods, expected.copy(), gradients, np.flatnonzero(lost))


def _weights(batch: LatticeBatch, scores: Float) -> tuple[Float, Float]:
    """e^(score - cost) of each arc, the largest of a frame being 1, and the utterances' sums of the logarithms."""
    values = scores - batch.costs
    first = np.flatnonzero(np.diff(batch.rows, prepend=-1))
    peaks = np.maximum.reduceat(values, first)
    weights = np.exp(values - np.repeat(peaks, np.diff(first, append=len(values))))
    sums = np.bincount(batch.arc_utterances[first], peaks, len(batch.num_frames))
    return weights, sums.astype(np.float64)


def _forward(batch: LatticeBatch, weights: Float, worth: Float) -> tuple[Float, Float, Float]:
    """Forward probabilities of nodes, summing to 1 at a boundary, their expected accuracies so far, and log scales.

    `weights` are divided by the scales, in place.
    """
    size = len(batch.num_frames)
    probabilities, expected = np.zeros(len(batch.node_utterances)), np.zeros(len(batch.node_utterances))
    probabilities[:size] = 1
    log_totals = np.zeros(size)
    for frame in range(len(batch.first_arcs) - 1):
        arcs, nodes = _step(batch, frame)
        source, target = batch.sources[arcs], batch.targets[arcs] - nodes.start
        reached = probabilities[source] * weights[arcs]
        sums = np.bincount(target, reached, nodes.stop - nodes.start)
        worths = np.bincount(target, reached * (expected[source] + worth[arcs]), nodes.stop - nodes.start)
        np.divide(worths, sums, out=expected[nodes], where=sums > 0)  # a node may be out of reach by underflow
        utterances = batch.node_utterances[nodes]
        totals = np.bincount(utterances, sums, size)
        totals[batch.num_frames <= frame] = 1
        log_totals += np.log(totals)
        probabilities[nodes] = sums / totals[utterances]
        weights[arcs] /= totals[batch.node_utterances[source]]
    return probabilities, expected, log_totals


def _backward(batch: LatticeBatch, weights: Float, worth: Float, forward: Float) -> tuple[Float, Float, Float]:
    """Backward probabilities of nodes, scaled so that their products with `forward` sum to 1 at every boundary.

    Also the expected accuracies of what follows, and by what the ends were divided.
    """
    probabilities, expected = np.zeros(len(batch.node_utterances)), np.zeros(len(batch.node_utterances))
    end_utterances = batch.node_utterances[batch.ends]
    ends = np.exp(-batch.end_costs)
    end_totals = np.bincount(end_utterances, ends * forward[batch.ends], len(batch.num_frames))
    probabilities[batch.ends] = ends / end_totals[end_utterances]
    for frame in reversed(range(len(batch.first_arcs) - 1)):
        arcs = slice(*batch.first_arcs[frame : frame + 2])
        first, end = batch.first_nodes[frame : frame + 2]
        source, target = batch.sources[arcs] - first, batch.targets[arcs]
        following = weights[arcs] * probabilities[target]
        sums = np.bincount(source, following, end - first)
        worths = np.bincount(source, following * (worth[arcs] + expected[target]), end - first)
        leaving = np.flatnonzero(sums)  # not the ends of shorter utterances
        probabilities[first + leaving] = sums[leaving]
        expected[first + leaving] = worths[leaving] / sums[leaving]
    return probabilities, expected, end_totals.astype(np.float64)


def _step(batch: LatticeBatch, frame: int) -> tuple[slice, slice]:
    """The arcs of a frame, and the nodes that they lead to."""
    return slice(*batch.first_arcs[frame : frame + 2]), slice(*batch.first_nodes[frame + 1 : frame + 3])


def _lost(batch: LatticeBatch, occupancies: Float) -> npt.NDArray[np.bool_]:
    """Of which utterances the occupancies of a frame do not sum to 1."""
    sums = np.bincount(batch.rows, occupancies, int(batch.num_frames.sum()))
    wrong = ~(np.abs(sums - 1) < _TOLERANCE)
    utterance_of_row = np.repeat(np.arange(len(batch.num_frames)), batch.num_frames)
    return np.bincount(utterance_of_row, wrong, len(batch.num_frames)) > 0
