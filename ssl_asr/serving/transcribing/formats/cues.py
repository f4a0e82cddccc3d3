"""Words as captions that can be read: lines and times of limited length, cut at pauses.

The limits are those of subtitles elsewhere: two lines of 42 characters and 7 s (BBC Subtitle Guidelines; Netflix
Timed Text Style Guide).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ssl_asr.serving.results import Word
from ssl_asr.serving.transcribing.transcript import Transcript

LINE_CHARACTERS = 42
MAX_SECONDS = 7.0
MIN_SECONDS = 1.0  # a short caption stays longer, if nothing follows
_PAUSE_SECONDS = 1.5  # a longer pause always ends a caption
# Two halves of equal length are worth as much as a pause of so many seconds between unequal ones.
_BALANCE_SECONDS = 0.2


@dataclass(frozen=True)
class Cue:
    """One caption: milliseconds from the beginning of the source, start < end, and one or two lines."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """In time order; none overlaps the next. Words that share no segment share no caption."""
    groups = [group for segment in transcript.segments for group in _groups(segment.words)]
    starts = list[int]()
    for group in groups:
        starts.append(max(_milliseconds(group[0].start), starts[-1] + 1 if starts else 0))
    found = []
    for number, (group, start) in enumerate(zip(groups, starts, strict=True)):
        end = max(_milliseconds(group[-1].end), start + round(MIN_SECONDS * 1000))
        if number + 1 < len(groups):
            end = min(end, starts[number + 1])
        found.append(Cue(start, end, lines_of([word.word for word in group])))
    return found


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _groups(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Words of one caption each, in order."""
    waiting = [words] if words else []
    while waiting:
        group = waiting.pop()
        if _fits(group):
            yield group
        else:
            place = _best_break(group)
            waiting += [group[place:], group[:place]]


def _fits(words: Sequence[Word]) -> bool:
    pauses = (later.start - word.end for word, later in pairwise(words))
    return len(words) == 1 or (
        words[-1].end - words[0].start <= MAX_SECONDS
        and max(pauses) < _PAUSE_SECONDS
        and max(map(len, lines_of([word.word for word in words]))) <= LINE_CHARACTERS
    )


def _best_break(words: Sequence[Word]) -> int:
    """The number of words before the longest pause; one near the middle counts as longer."""
    lengths = [len(word.word) + 1 for word in words]
    total, before, best, best_value = sum(lengths), 0, 1, -1.0
    for place in range(1, len(words)):
        before += lengths[place - 1]
        pause = words[place].start - words[place - 1].end
        value = pause + _BALANCE_SECONDS * 2 * min(before, total - before) / total
        if value > best_value:
            best, best_value = place, value
    return best


def lines_of(words: Sequence[str]) -> tuple[str, ...]:
    """The words in one line, or if they are too many for it in two that are as equal as can be."""
    whole = " ".join(words)
    if len(whole) <= LINE_CHARACTERS or len(words) == 1:
        return (whole,)
    halves = ((" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words)))
    return min(halves, key=lambda pair: max(map(len, pair)))
