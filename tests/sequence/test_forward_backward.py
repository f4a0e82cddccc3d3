import numpy as np
import pytest

from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.forward_backward import forward_backward
from ssl_asr.sequence.lattices import Arcs, assemble
from tests.sequence.random_lattices import SENONES, paths, random_lattice

LATTICES = [random_lattice(seed, frames) for seed, frames in enumerate((4, 1, 6, 3, 6))]


def _case(lattices, seed=0):
    """A batch with random scores and accuracies of its arcs, the latter in the lattices' order too."""
    generator = np.random.default_rng(seed)
    batch = concatenate(lattices)
    arcs = sum(len(each.arcs) for each in lattices)
    scores, worth = generator.normal(0, 2, arcs), generator.random(arcs)
    return batch, scores, worth


def _by_paths(lattice, scores, worth):
    """Log-likelihood, occupancies, expected accuracy and its gradient by enumeration."""
    each = list(paths(lattice))
    logs = np.array([scores[path].sum() - cost for path, cost in each])
    total = np.logaddexp.reduce(logs)
    shares = np.exp(logs - total)
    accuracies = np.array([worth[path].sum() for path, _ in each])
    expected = shares @ accuracies
    occupancies, gradients = np.zeros(len(scores)), np.zeros(len(scores))
    for (path, _), share, accuracy in zip(each, shares, accuracies, strict=True):
        occupancies[path] += share
        gradients[path] += share * (accuracy - expected)
    return total, occupancies, expected, gradients


def test_all_values_are_those_of_the_paths_one_by_one():
    batch, scores, worth = _case(LATTICES)
    found = forward_backward(batch, scores[batch.places], worth[batch.places])
    at = 0
    for number, lattice in enumerate(LATTICES):
        here = slice(at, at := at + len(lattice.arcs))
        total, occupancies, expected, gradients = _by_paths(lattice, scores[here], worth[here])
        mine = np.flatnonzero((batch.places >= here.start) & (batch.places < here.stop))
        mine = mine[np.argsort(batch.places[mine])]
        assert found.log_likelihoods[number] == pytest.approx(total, abs=1e-10)
        assert found.accuracies[number] == pytest.approx(expected, abs=1e-10)
        np.testing.assert_allclose(found.occupancies[mine], occupancies, atol=1e-12)
        np.testing.assert_allclose(found.gradients[mine], gradients, atol=1e-12)
    assert len(found.lost) == 0


def test_occupancies_of_every_frame_sum_to_one_and_gradients_to_zero():
    batch, scores, worth = _case([random_lattice(seed, 40, width=8, arcs=30) for seed in range(6)])
    found = forward_backward(batch, scores, worth)
    frames = int(batch.num_frames.sum())
    np.testing.assert_allclose(np.bincount(batch.rows, found.occupancies, frames), 1, atol=1e-12)
    np.testing.assert_allclose(np.bincount(batch.rows, found.gradients, frames), 0, atol=1e-12)


@pytest.mark.parametrize("of", ["accuracies", "log_likelihoods"])
def test_gradients_are_finite_differences(of):
    batch, scores, worth = _case(LATTICES)
    found = forward_backward(batch, scores, worth)
    analytic = found.gradients if of == "accuracies" else found.occupancies
    step = 1e-5
    for arc in range(0, len(scores), 3):
        above, below = scores.copy(), scores.copy()
        above[arc] += step
        below[arc] -= step
        high, low = (getattr(forward_backward(batch, moved, worth), of).sum() for moved in (above, below))
        assert analytic[arc] == pytest.approx((high - low) / (2 * step), abs=1e-8)


def test_a_constant_a_frame_changes_the_likelihood_alone():
    batch, scores, worth = _case(LATTICES)
    constants = np.random.default_rng(1).normal(0, 1000, int(batch.num_frames.sum()))
    before, after = (forward_backward(batch, each, worth) for each in (scores, scores + constants[batch.rows]))
    np.testing.assert_allclose(after.occupancies, before.occupancies, atol=1e-10)
    np.testing.assert_allclose(after.gradients, before.gradients, atol=1e-10)
    ends = np.cumsum(batch.num_frames)
    shifts = np.array([each.sum() for each in np.split(constants, ends[:-1])])
    np.testing.assert_allclose(after.log_likelihoods, before.log_likelihoods + shifts, rtol=1e-10)


def test_one_path_has_occupancy_one_and_no_gradient():
    lattice = random_lattice(3, frames=7, width=1, arcs=1)
    batch, scores, _ = _case([lattice])
    found = forward_backward(batch, scores, np.array([1.0, 0, 1, 1, 0, 0, 1]))
    np.testing.assert_array_equal(found.occupancies, 1)
    np.testing.assert_array_equal(found.gradients, 0)
    assert found.accuracies.tolist() == [4]


def test_a_batch_gives_each_lattice_what_it_gets_alone():
    batch, scores, worth = _case(LATTICES)
    together = forward_backward(batch, scores[batch.places], worth[batch.places])
    at = 0
    for number, lattice in enumerate(LATTICES):
        alone = concatenate([lattice])
        here = slice(at, at := at + len(lattice.arcs))
        found = forward_backward(alone, scores[here], worth[here])
        mine = np.flatnonzero(batch.arc_utterances == number)
        np.testing.assert_allclose(together.gradients[mine], found.gradients, atol=1e-14)
        assert together.accuracies[number] == pytest.approx(found.accuracies[0], abs=1e-13)
        assert together.log_likelihoods[number] == pytest.approx(found.log_likelihoods[0], abs=1e-12)


def test_probabilities_beyond_all_floats_are_told_and_leave_the_others_alone():
    """Of two paths that never meet, the worse at first is the better in the end, by more than a float can hold."""
    lattice = _fork(300)
    others = concatenate([LATTICES[0], lattice, LATTICES[2]])
    scores = np.zeros(len(others.places))
    first, second, third = (np.zeros(len(lattice.arcs)) for _ in range(3))
    first[lattice.arcs.senones == 1] = np.where(lattice.frames[lattice.arcs.senones == 1] < 150, -10, 10.1)
    # The other never recovers, so its probability underflows long before the end.
    third[lattice.arcs.senones == 1] = np.where(lattice.frames[lattice.arcs.senones == 1] < 150, -10, 0)
    second[lattice.arcs.senones == 1] = np.where(lattice.frames[lattice.arcs.senones == 1] < 150, -0.1, 0.2)
    for values, lost in ((first, [1]), (second, []), (third, [])):
        scores[others.arc_utterances == 1] = values
        found = forward_backward(others, scores, np.ones(len(scores)))
        assert found.lost.tolist() == lost
        assert np.isfinite(found.gradients).all()
        assert found.accuracies[0] == pytest.approx(4)
        assert found.accuracies[2] == pytest.approx(6)


def _fork(frames):
    """Two paths of this length, of senones 0 and of senones 1."""
    upper, lower = np.arange(1, 2 * frames, 2), np.arange(2, 2 * frames + 1, 2)
    sources = np.concatenate([[0], upper[:-1], [0], lower[:-1]])
    targets = np.concatenate([upper, lower])
    final_costs = np.full(2 * frames + 1, np.inf)
    final_costs[-2:] = 0
    senones = np.repeat([0, 1], frames)
    arcs = Arcs(
        *(each.astype(np.int32) for each in (sources, targets, senones)),
        np.zeros(2 * frames, np.float32),
        np.zeros((2 * frames, 1), np.int32),
    )
    return assemble(0, final_costs, arcs)


def test_scores_by_senone_reach_their_arcs():
    lattice = LATTICES[2]
    scores_ts = np.random.default_rng(0).normal(size=(lattice.num_frames, SENONES))
    for arc, score in enumerate(lattice.scores(scores_ts)):
        assert score == scores_ts[lattice.frames[arc], lattice.arcs.senones[arc]]
    with pytest.raises(ValueError, match="3 frames do not fit"):
        lattice.scores(scores_ts[:3])
