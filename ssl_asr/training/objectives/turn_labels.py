"""What the output channels are to say of a conversation, as labels of a transducer, and how late they may end a turn.

Sklyar et al. 2022 (arXiv 2205.05199).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch

from ssl_asr.corpus.mixtures.targets import CHANGE, END, START, changed_text, marked_texts
from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.recipe.objective import Marks

# Symbols that the word pieces need.
MARKS: Mapping[Marks, tuple[str, ...]] = {"start-end": (START, END), "change": (CHANGE,), "none": ()}


def channel_labels(
    channels: Sequence[Sequence[Turn]], marks: Marks, pieces: WordPieces
) -> tuple[tuple[int, ...], ...]:
    """Of each channel, none of a channel without a turn; ValueError where the word pieces lack a mark."""
    return tuple(_encoded(text, pieces) for text in _texts(channels, marks))


def end_penalties(
    channels: Sequence[Sequence[Turn]],
    labels: Sequence[Sequence[int]],
    shape: tuple[int, int],
    *,
    end_label: int,
    frame_samples: int,
    nats: float,
    grace: int,
) -> torch.Tensor:
    """Biases [channels, T, U] of labels, for the T frames and U labels of `shape`: 0 but for late `<eot>`.

    -max(0, nats (t - grace - t_end)), where t_end is the last frame with samples of the turn.
    """
    frames, positions = shape
    bias_ntu = torch.zeros(len(labels), frames, positions)
    places_t = torch.arange(frames)
    for bias_tu, turns, mine in zip(bias_ntu, channels, labels, strict=True):
        ends = [place for place, label in enumerate(mine) if label == end_label]
        # Only the last turn of a channel may lack the mark.
        for place, turn in zip(ends, turns, strict=False):
            last = -(-turn.end // frame_samples) - 1
            bias_tu[:, place] = -nats * (places_t - grace - last).clamp(min=0)
    return bias_ntu


def _texts(channels: Sequence[Sequence[Turn]], marks: Marks) -> tuple[str, ...]:
    if marks == "start-end":
        return marked_texts(channels)
    if marks == "change":
        return tuple(changed_text(turns) for turns in channels)
    return tuple(" ".join(turn.text for turn in turns) for turns in channels)


def _encoded(text: str, pieces: WordPieces) -> tuple[int, ...]:
    found: list[int] = []
    for is_mark, group in itertools.groupby(text.split(), (START, END, CHANGE).__contains__):
        words = list(group)
        found += [pieces.symbol_id(word) for word in words] if is_mark else pieces.encode(" ".join(words))
    return tuple(found)
