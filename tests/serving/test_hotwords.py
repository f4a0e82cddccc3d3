"""Bonuses of phrases, against a count of phrases in every sentence of small random graphs."""

import math

import numpy as np
import pytest

from ssl_asr.lang.fst_arrays import ARC
from ssl_asr.lang.text import A_TO_Z, EVERY_SCRIPT
from ssl_asr.serving.hotwords import _without, boosted, read_hotwords, unknown_words

WORDS = ("a", "b", "c", "d")
PHRASES = {
    ("a",): 1.0,
    ("a", "b"): 2.0,
    ("a", "b", "c"): 3.0,
    ("b", "c"): -1.5,
    ("c", "c"): 0.7,
    ("b", "a", "b", "d"): 4.0,
    ("d", "zebra"): 9.0,
}


def _random_graph(seed: int):
    """States in layers, so that paths end; a third of the arcs say nothing."""
    random, states, rows = np.random.default_rng(seed), 9, []
    for state in range(states - 1):
        for _ in range(3):
            label = int(random.integers(0, 5)) if random.random() > 0.3 else 0
            following = int(random.integers(state + 1, min(state + 3, states - 1) + 1))
            rows.append((state, (1, label, random.random(), following)))
    final = np.full(states, np.inf, np.float32)
    final[[states - 1, states - 3]] = 0.5, 1.5
    return 0, final, np.array([row[0] for row in rows]), np.array([row[1] for row in rows], ARC)


def _paths(graph) -> list[tuple[tuple[int, ...], float]]:
    start, final, source, arcs = graph
    found, waiting = [], [(start, (), 0.0)]
    while waiting:
        state, labels, cost = waiting.pop()
        if np.isfinite(final[state]):
            found.append((labels, cost + float(final[state])))
        for arc in arcs[source == state]:
            said = (*labels, int(arc["olabel"])) if arc["olabel"] else labels
            waiting.append((int(arc["nextstate"]), said, cost + float(arc["weight"])))
    return sorted(found)


def _bonus(labels: tuple[int, ...]) -> float:
    said = tuple(WORDS[label - 1] for label in labels)
    return sum(
        weight
        for phrase, weight in PHRASES.items()
        for at in range(len(said))
        if said[at : at + len(phrase)] == phrase
    )


@pytest.mark.parametrize("seed", range(8))
def test_every_path_gets_the_bonus_of_its_phrases(seed: int) -> None:
    graph = _random_graph(seed)
    expected = sorted((labels, cost - _bonus(labels)) for labels, cost in _paths(graph))
    found = _paths(boosted(graph, WORDS, PHRASES))
    assert [labels for labels, _ in found] == [labels for labels, _ in expected]
    np.testing.assert_allclose([cost for _, cost in found], [cost for _, cost in expected], atol=1e-4)


def test_single_words_leave_the_graph_as_large_as_it_is_and_no_phrase_as_it_is() -> None:
    graph = _random_graph(0)
    one = boosted(graph, WORDS, {("a",): 1.0, ("b",): -2.0})
    assert len(one[1]) == len(graph[1])
    for before, after in zip(graph, boosted(graph, WORDS, {("zebra",): 3.0}), strict=True):
        np.testing.assert_array_equal(before, after)


def test_keys_are_compared_as_sets() -> None:
    random = np.random.default_rng(0)
    for size in (0, 1, 5, 300):
        keys, seen = random.integers(0, 200, size), np.unique(random.integers(0, 200, 40))
        np.testing.assert_array_equal(_without(keys, seen), np.setdiff1d(keys, seen))


def test_files_of_hotwords() -> None:
    text = "# places\nNew York 3.5\r\n\n  san   josé 2\nnan -.5\nzebra 1e0\n"
    assert read_hotwords(text, "hot.txt", A_TO_Z) == {
        ("new", "york"): 3.5,
        ("san", "josé"): 2.0,
        ("nan",): -0.5,
        ("zebra",): 1.0,
    }
    written = "SAN JOSE\u0301 2\nАнна-Мария 3\nroute 66b 2.\n"
    assert read_hotwords(written, "hot.txt", EVERY_SCRIPT) == {
        ("san", "josé"): 2.0,
        ("анна", "мария"): 3.0,
        ("route", "66b"): 2.0,
    }
    assert read_hotwords("doing 2\nDoing 2.0\n", "hot.txt", A_TO_Z) == {("doing",): 2.0}
    for bad, fault in (
        ("A 2", "has another bonus than in an earlier line"),
        ("doing", "has no bonus at its end"),
        ("doing eight", "has no bonus at its end"),
        ("doing nan", "has no bonus at its end"),
        ("-5", "has no word before its bonus"),
        ("1e9", "has no word before its bonus"),
        ("york 1000", "has a bonus beyond 20 nats"),
        ("york -1e9", "has a bonus beyond 20 nats"),
    ):
        with pytest.raises(
            ValueError, match=f"^hot.txt, line 2: '{bad}' {fault}; write, for .* 1 to 10 nats are usual"
        ):
            read_hotwords(f"a 1\n{bad}\n", "hot.txt", A_TO_Z)
    assert unknown_words({("a", "x"): 1, ("x",): 1, ("d",): math.pi}, WORDS) == ["x"]
