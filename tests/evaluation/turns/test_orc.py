"""ORC-WER against every combination there is, against MeetEval where it is installed, and by hand."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.evaluation.scoring import Edits
from ssl_asr.evaluation.turns.orc import best_combination


def levenshtein(one: list[str], other: list[str]) -> int:
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != against))
    return row[-1]


def errors_of(references: list[list[str]], channels: list[list[str]], assigned: tuple[int, ...]) -> int:
    return sum(
        levenshtein([word for said, at in zip(references, assigned, strict=True) if at == n for word in said], words)
        for n, words in enumerate(channels)
    )


def conversation(seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Up to eight utterances with 30 % errors, on two channels; a quarter of the words on the wrong one."""
    chance = random.Random(seed)
    references = [[f"w{chance.randrange(12)}" for _ in range(1 + chance.randrange(9))] for _ in range(1 + seed % 8)]
    channels: list[list[str]] = [[], []]
    for words in references:
        mine = chance.randrange(2)
        for word in words:
            heard = (word, word, word, word, word, word, word, f"w{chance.randrange(12)}", "", f"{word} w0")
            channel = mine if chance.random() < 0.75 else 1 - mine
            channels[channel] += heard[chance.randrange(10)].split()
    return references, channels


def split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


WORDS = st.lists(st.sampled_from("abc"), max_size=5)
RECOGNISED = st.lists(st.sampled_from("abcd"), max_size=8)


@given(st.lists(WORDS, max_size=5), st.lists(RECOGNISED, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_no_combination_has_fewer_errors(references, channels):
    found = best_combination(references, channels)
    every = itertools.product(range(len(channels)), repeat=len(references))
    assert found.edits.errors == min(errors_of(references, channels, each) for each in every)
    assert found.edits.errors == errors_of(references, channels, found.channels)
    assert found.edits.words == sum(map(len, references))
    inserted = sum(map(len, channels)) - found.edits.words
    assert found.edits.insertions - found.edits.deletions == inserted


@given(st.lists(WORDS, min_size=1, max_size=6), st.tuples(RECOGNISED, RECOGNISED))
@settings(max_examples=150, deadline=None)
def test_meeteval_counts_the_same_where_it_is_installed(references, channels):
    meeteval = pytest.importorskip(
        "meeteval.wer", reason="MeetEval is built from source: pip install -e '.[meetings]'"
    )
    theirs = meeteval.orc_word_error_rate([" ".join(words) for words in references], [" ".join(c) for c in channels])
    ours = best_combination(references, channels)
    assert (ours.edits.errors, ours.edits.words) == (theirs.errors, theirs.length)
    assert errors_of(references, channels, theirs.assignment) == ours.edits.errors


@pytest.mark.parametrize(
    ("references", "channels", "edits", "assigned"),
    [
        (["a b", "c d", "e f"], ["a b", "c d e f"], Edits(6), (0, 1, 1)),
        (["a b", "c d", "e f"], ["a b c d e f", ""], Edits(6), (0, 0, 0)),
        # An utterance is whole: "c" on one channel and "d" on the other are an insertion and a deletion.
        (["a", "c d", "e"], ["a c", "d e"], Edits(4, insertions=1, deletions=1), (0, 0, 1)),
        # The order of the reference is kept on each channel.
        (["b c", "a"], ["a b c", ""], Edits(3, insertions=1, deletions=1), (0, 0)),
        (["a b"], ["", ""], Edits(2, deletions=2), (0,)),
        ([], ["a", "b c"], Edits(0, insertions=3), ()),
    ],
)
def test_by_hand(references, channels, edits, assigned):
    found = best_combination(split(*references), split(*channels))
    assert (found.edits, found.channels) == (edits, assigned)


# Errors that MeetEval 0.4.3 counts in the conversations of these seeds.
MEETEVAL_ERRORS = (
    "4 2 6 18 10 15 13 19 1 11 5 10 14 11 19 15 3 7 6 6 11 16 14 24 "
    "7 7 13 13 7 23 23 9 2 6 11 13 14 10 27 21 8 8 9 9 15 7 18 25"
)


def test_meeteval_counted_the_same():
    found = [best_combination(*conversation(seed)).edits.errors for seed in range(48)]
    assert found == [int(errors) for errors in MEETEVAL_ERRORS.split()]


def test_a_long_group():
    """As long as those of LibriCSS: the talkers' words alternate in sentences of nine words."""
    references = [[f"{n}-{word}" for word in range(9)] for n in range(16)]
    channels = [[word for said in references[n::2] for word in said] for n in (1, 0)]
    channels[0][5:7], channels[1][20] = [], "wrong"
    found = best_combination(references, channels)
    assert found.edits == Edits(144, insertions=0, deletions=2, substitutions=1)
    assert found.channels == (1, 0) * 8


def test_refused_without_a_channel():
    with pytest.raises(ValueError, match="can't be scored without a channel"):
        best_combination([["a"]], [])
