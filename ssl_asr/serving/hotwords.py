"""Words and phrases that the recogniser expects: a bonus for each time they are said, exact in the search.

A graph puts each word out once a path. So its product with an automaton that knows which phrases have begun (Aho and
Corasick 1975) gives every phrase its bonus. While a phrase is said the bonus is paid by the word, and taken back
where the phrase breaks off, so that the beam keeps it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transitions import Arrays
from ssl_asr.lang.text import Alphabet

Phrase = tuple[str, ...]
_MOST_WEIGHT = 20.0  # e^20 times as probable; what is more is a number of the phrase ("route 66")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SILENT, _OTHER = 0, 1  # classes of arcs: no word, a word of no phrase; then those of phrases


def read_hotwords(text: str, place: str, alphabet: Alphabet) -> dict[Phrase, float]:
    """Lines of a word or phrase and its bonus in nats; ValueError names the first bad line and its fault.

    The bonus is a natural logarithm: 2.3 makes a phrase ten times as probable, a negative one less probable. Empty
    lines and lines that begin with # are passed over. A phrase may come again, but not with another bonus.
    """
    found: dict[Phrase, float] = {}
    for number, line in enumerate(text.split("\n"), 1):
        written = line.split()
        if not written or written[0].startswith("#"):
            continue
        try:
            phrase, bonus = _phrase_and_bonus(written, alphabet)
            if found.setdefault(phrase, bonus) != bonus:
                raise ValueError("has another bonus than in an earlier line")
        except ValueError as error:
            raise ValueError(
                f"{place}, line {number}: '{line.strip()[:50]}' {error}; write, for example, 'new york 3' "
                "(bonuses of 1 to 10 nats are usual)"
            ) from None
    return found


def _phrase_and_bonus(written: Sequence[str], alphabet: Alphabet) -> tuple[Phrase, float]:
    """ValueError that says what is wrong, as the end of a sentence."""
    if not _NUMBER.fullmatch(written[-1]):
        raise ValueError("has no bonus at its end")
    phrase, bonus = tuple(alphabet.words(" ".join(written[:-1]))), float(written[-1])
    if not phrase:
        raise ValueError("has no word before its bonus")
    if abs(bonus) > _MOST_WEIGHT:
        raise ValueError(f"has a bonus beyond {_MOST_WEIGHT:g} nats")
    return phrase, bonus


def unknown_words(phrases: Iterable[Phrase], vocabulary: Iterable[str]) -> list[str]:
    """Words of phrases that can't be recognised at all, each once."""
    known = set(vocabulary)
    return sorted({word for phrase in phrases for word in phrase} - known)


def boosted(graph: Arrays, vocabulary: Sequence[str], phrases: Mapping[Phrase, float]) -> Arrays:
    """The graph with the bonus of each phrase; those with a word outside the vocabulary have no effect.

    `graph` is as `fst_arrays.to_numpy` returns it. It grows by what can be said behind the beginning of a phrase.
    """
    ids = {word: number for number, word in enumerate(vocabulary, 1)}
    known = {phrase: weight for phrase, weight in phrases.items() if all(word in ids for word in phrase)}
    automaton = _automaton(known)
    classes = np.full(len(vocabulary) + 1, _OTHER)
    classes[0] = _SILENT
    for number, word in enumerate(automaton.words, _OTHER + 1):
        classes[ids[word]] = number
    return _product(graph, classes, automaton)


@dataclass(frozen=True, eq=False)
class _Automaton:
    """`following` and `gains` [states, classes]; `paid` [states] is what a state has been paid in advance."""

    words: tuple[str, ...]
    following: npt.NDArray[np.int64]
    gains: npt.NDArray[np.float64]
    paid: npt.NDArray[np.float64]


def _automaton(phrases: Mapping[Phrase, float]) -> _Automaton:
    words = tuple(sorted({word for phrase in phrases for word in phrase}))
    advance: dict[Phrase, float] = {(): 0.0}
    for phrase, weight in phrases.items():
        for length in range(1, len(phrase)):
            share = weight * length / len(phrase)
            advance[phrase[:length]] = max(share, advance.get(phrase[:length], -math.inf))
    states = {prefix: number for number, prefix in enumerate(advance)}
    paid = np.array([*advance.values()])
    following = np.zeros((len(states), len(words) + 2), np.int64)
    gains = np.zeros(following.shape)
    following[:, _SILENT] = np.arange(len(states))
    gains[:, _OTHER] = -paid
    for prefix, state in states.items():
        for number, word in enumerate(words, _OTHER + 1):
            said = (*prefix, word)
            endings = [said[begin:] for begin in range(len(said) + 1)]
            target = next(states[ending] for ending in endings if ending in states)
            complete = sum(phrases.get(ending, 0.0) for ending in endings)
            following[state, number] = target
            gains[state, number] = complete + paid[target] - paid[state]
    return _Automaton(words, following, gains, paid)


def _product(graph: Arrays, classes: npt.NDArray[np.int64], automaton: _Automaton) -> Arrays:
    """State s of the graph with state a of the automaton has the key a x states + s, until all are numbered."""
    start, final, source, arcs = graph
    size = len(final)
    first = np.searchsorted(source, np.arange(size + 1))
    seen = frontier = np.arange(size)
    sources, targets, found = list[npt.NDArray[np.int64]](), list[npt.NDArray[np.int64]](), []
    while len(frontier):
        state = frontier % size
        counts = first[state + 1] - first[state]
        places = np.arange(counts.sum()) + np.repeat(first[state] - np.cumsum(counts) + counts, counts)
        some, origin = arcs[places], np.repeat(frontier, counts)
        place = (origin // size, classes[some["olabel"]])
        some["weight"] -= automaton.gains[place]
        sources.append(origin)
        targets.append(automaton.following[place] * size + some["nextstate"])
        found.append(some)
        frontier = _without(targets[-1], seen)
        seen = np.sort(np.concatenate([seen, frontier]), kind="stable")
    arcs = np.concatenate(found)
    arcs["nextstate"] = np.searchsorted(seen, np.concatenate(targets))
    # What was paid for a phrase that the end breaks off is taken back.
    ends = (final[seen % size] + automaton.paid[seen // size]).astype(np.float32)
    return start, ends, np.searchsorted(seen, np.concatenate(sources)), arcs


def _without(keys: npt.NDArray[np.int64], seen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sorted `keys` that are not in `seen`, which is sorted; each once.

    numpy's functions of sets take a hundred times as long: the hashes of such numbers collide.
    """
    ordered = np.sort(keys)
    once = ordered[np.diff(ordered, prepend=-1) > 0]
    return once[np.append(seen, -1)[np.searchsorted(seen, once)] != once]
