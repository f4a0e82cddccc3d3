import numpy as np
import pytest

from ssl_asr.sequence.folding import fold
from ssl_asr.sequence.raw_lattices import RawLattice
from tests.sequence.random_lattices import paths


def _raw(arcs, final_costs, start=0):
    """`arcs` are (source, target, senone or None, word, cost)."""
    sources, targets, senones, words, costs = zip(*arcs, strict=True)
    return RawLattice(
        start,
        np.array(final_costs, np.float32),
        np.array(sources, np.int32),
        np.array(targets, np.int32),
        np.array([0 if each is None else each + 1 for each in senones], np.int32),
        np.array(words, np.int32),
        np.array(costs, np.float32),
        np.zeros(len(arcs), np.float32),
    )


def _random_raw(seed, frames=4, width=4):
    """Every frame's states have arcs to later states of the same frame, without a senone, and to the next frame."""
    generator = np.random.default_rng(seed)
    arcs = []
    for frame in range(frames + 1):
        for state in range(width):
            here = frame * width + state
            for later in range(state + 1, width):
                if generator.random() < 0.4:
                    arcs.append((here, frame * width + later, None, _word(generator), generator.random()))
            for _ in range(generator.integers(3) if frame < frames else 0):
                target = (frame + 1) * width + generator.integers(width)
                arcs.append((here, target, int(generator.integers(5)), _word(generator), generator.random()))
    final_costs = np.full((frames + 1) * width, np.inf)
    final_costs[-width:] = np.where(generator.random(width) < 0.6, generator.random(width), np.inf)
    return _raw([arcs[place] for place in generator.permutation(len(arcs))], final_costs)


def _word(generator):
    return int(generator.integers(1, 9)) if generator.random() < 0.3 else 0


def _raw_paths(raw):
    def walk(state, senones, words, cost):
        if np.isfinite(raw.final_costs[state]):
            yield senones, words, cost + raw.final_costs[state]
        for arc in np.flatnonzero(raw.sources == state):
            senone, word = raw.ilabels[arc] - 1, raw.olabels[arc]
            yield from walk(
                raw.targets[arc],
                senones + ((senone,) if senone >= 0 else ()),
                words + ((word,) if word else ()),
                cost + raw.costs[arc],
            )

    return [(tuple(map(int, s)), tuple(map(int, w)), round(float(c), 4)) for s, w, c in walk(raw.start, (), (), 0.0)]


def _folded_paths(lattice):
    arcs = lattice.arcs
    for places, cost in paths(lattice):
        words = arcs.words[places]
        yield tuple(arcs.senones[places].tolist()), tuple(words[words > 0].tolist()), round(cost, 4)


@pytest.mark.parametrize("seed", range(12))
def test_folding_keeps_every_path_with_its_senones_words_and_cost(seed):
    raw = _random_raw(seed)
    expected = sorted(_raw_paths(raw))
    if not expected:
        with pytest.raises(ValueError, match="complete"):
            fold(raw)
        return
    found = sorted(_folded_paths(fold(raw)))
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    np.testing.assert_allclose([each[2] for each in found], [each[2] for each in expected], atol=2e-4)


def test_two_words_between_two_senones_are_both_kept_in_order():
    raw = _raw([(0, 1, 3, 7, 0.5), (1, 2, None, 8, 0.25), (2, 3, None, 9, 0.25), (3, 4, 1, 0, 1)], [np.inf] * 4 + [0])
    lattice = fold(raw)
    assert lattice.arcs.words.tolist() == [[7, 8, 9], [0, 0, 0]]
    assert lattice.arcs.costs.tolist() == [1, 1]


def test_paths_that_meet_in_a_state_without_senones_stay_together():
    """Ten words that end and ten that begin are twenty arcs, not a hundred."""
    ends = [(0, 1 + word, word, 0, 0.0) for word in range(10)] + [(1 + word, 11, None, 0, 0.0) for word in range(10)]
    begins = [(11, 12 + word, word, word + 1, 0.0) for word in range(10)]
    assert len(fold(_raw(ends + begins, [np.inf] * 12 + [0] * 10)).arcs) == 20


def test_a_cycle_without_senones_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        fold(_raw([(0, 1, 2, 0, 0.0), (1, 2, None, 0, 0.0), (2, 1, None, 0, 0.0)], [np.inf, 0, 0]))


def test_a_state_at_two_times_is_refused():
    with pytest.raises(ValueError, match="different numbers of frames"):
        fold(_raw([(0, 1, 2, 0, 0.0), (1, 2, 2, 0, 0.0), (0, 2, 1, 0, 0.0)], [np.inf, np.inf, 0]))
