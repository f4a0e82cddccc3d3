import numpy as np
import pytest

from ssl_asr.sequence.best_path import best_path, most, prune
from tests.sequence.random_lattices import paths, random_lattice


def _scored(seed):
    lattice = random_lattice(seed, frames=5)
    scores = np.random.default_rng(seed).normal(0, 2, len(lattice.arcs))
    return lattice, scores, {tuple(places): scores[places].sum() - cost for places, cost in paths(lattice)}


@pytest.mark.parametrize("seed", range(5))
def test_the_best_path_is_the_best_of_all(seed):
    lattice, scores, all_paths = _scored(seed)
    found = best_path(lattice, scores)
    assert found.score == pytest.approx(max(all_paths.values()))
    assert all_paths[tuple(found.arcs.tolist())] == pytest.approx(found.score)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("beam", [0.0, 1.5, 4.0, 100.0])
def test_pruning_keeps_exactly_the_arcs_of_paths_within_the_beam(seed, beam):
    lattice, scores, all_paths = _scored(seed)
    best = max(all_paths.values())
    wanted = sorted({arc for path, score in all_paths.items() if score >= best - beam for arc in path})
    pruned = prune(lattice, scores, beam)
    kept = lattice.arcs.take(np.array(wanted))
    assert sorted(_labels(pruned.arcs)) == sorted(_labels(kept))
    assert pruned.num_frames == lattice.num_frames
    assert pruned.density <= lattice.density


@pytest.mark.parametrize("seed", range(5))
def test_the_most_that_a_path_can_collect(seed):
    lattice, _, all_paths = _scored(seed)
    worth = np.random.default_rng(seed).integers(0, 2, len(lattice.arcs)).astype(float)
    assert most(lattice, worth) == max(worth[list(path)].sum() for path in all_paths)


def _labels(arcs):
    return zip(arcs.senones.tolist(), arcs.costs.tolist(), map(tuple, arcs.words.tolist()), strict=True)
