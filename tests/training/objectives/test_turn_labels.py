"""Labels of the output channels, with and without marks of the turns, and what a late mark costs."""

from __future__ import annotations

import pytest
import torch

from ssl_asr.corpus.mixtures.turns import Turn, by_channel
from ssl_asr.lang.word_pieces import WordPieces, train_word_pieces
from ssl_asr.training.objectives.turn_labels import MARKS, channel_labels, end_penalties

# On the first channel "a cat sat", then "two cats"; on the second "a cat" in between.
TURNS = (
    Turn("x", "s", "a cat sat", 0, 900),
    Turn("y", "t", "a cat", 600, 1500),
    Turn("z", "s", "two cats", 1200, 2000),
)


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    return train_word_pieces([turn.text for turn in TURNS], 14, MARKS["start-end"] + MARKS["change"])


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ("start-end", [["a cat sat", "<eot>", "<sot>", "two cats"], ["<sot>", "a cat", "<eot>"]]),
        ("change", [["a cat sat", "<cot>", "two cats"], ["a cat"]]),
        ("none", [["a cat sat two cats"], ["a cat"]]),
    ],
)
def test_words_and_marks_of_each_channel(pieces: WordPieces, marks: str, said: list[list[str]]) -> None:
    wanted = tuple(
        tuple(
            label
            for part in channel
            for label in ([pieces.symbol_id(part)] if part.startswith("<") else pieces.encode(part))
        )
        for channel in said
    )
    assert channel_labels(by_channel(TURNS), marks, pieces) == wanted


def test_a_channel_without_a_turn_says_nothing(pieces: WordPieces) -> None:
    assert channel_labels(by_channel(TURNS[:1]), "start-end", pieces)[1] == ()


def test_word_pieces_without_the_marks_are_refused(pieces: WordPieces) -> None:
    plain = train_word_pieces([turn.text for turn in TURNS], 11)
    with pytest.raises(ValueError, match="the word pieces have no symbol <eot>"):
        channel_labels(by_channel(TURNS), "start-end", plain)


def test_a_mark_loses_more_the_later_it_comes(pieces: WordPieces) -> None:
    channels, end = by_channel(TURNS), pieces.symbol_id("<eot>")
    labels = channel_labels(channels, "start-end", pieces)
    longest = max(map(len, labels))
    found = end_penalties(channels, labels, (30, longest), end_label=end, frame_samples=100, nats=0.5, grace=2)
    for channel, last in ((0, 8), (1, 14)):  # samples 800-899 and 1400-1499 are the last of these turns
        (place,) = [place for place, label in enumerate(labels[channel]) if label == end]
        wanted = torch.tensor([-0.5 * max(0, frame - 2 - last) for frame in range(30)])
        torch.testing.assert_close(found[channel, :, place], wanted)
        others = [other for other in range(longest) if other != place]
        assert not found[channel][:, others].any()
