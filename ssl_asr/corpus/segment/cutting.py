"""From the probability of speech in each window to spans that keep all speech, none too short, none too long.

A pure state machine on windows of one length: `add` takes any number of them and returns the spans that are complete.
It holds the windows of the span under way and no more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

# Speech goes on while its probability is at most so much below the threshold at which it begins, as in silero-vad.
_HYSTERESIS = 0.15


@dataclass(frozen=True)
class Cutting:
    """How recordings are cut; all but `threshold`, a probability, are seconds.

    A segment has `padding_seconds` of audio before and after its speech, and lasts `min_seconds` to `max_seconds`;
    only a recording that is shorter in all gives a shorter one. Speech goes to one segment unless a pause of
    `padding_seconds` and once more the larger of that and `min_seconds` lies between. Longer speech is cut in its
    longest pauses. Isolated sounds with less than `min_speech_seconds` of speech are left out.
    """

    min_seconds: float = 0.6
    max_seconds: float = 15.0
    padding_seconds: float = 0.2
    min_speech_seconds: float = 0.1
    threshold: float = 0.5


@dataclass(frozen=True)
class Span:
    """Windows `begin` to `end`, the last one not included."""

    begin: int
    end: int


class _Stretch:
    """Speech that is not cut yet: what is known of each window from `begin` on."""

    def __init__(self, begin: int, speech: Iterable[bool], powers: Iterable[float], voiced: int) -> None:
        self.begin = begin
        self.speech = list(speech)
        self.powers = list(powers)
        self.voiced = voiced  # windows at or above the threshold, with those of spans that were cut off
        self.speech_end = begin

    def cut_off(self, place: int) -> Span:
        """Take away everything before the window `place`."""
        span = Span(self.begin, place)
        del self.speech[: place - self.begin], self.powers[: place - self.begin]
        self.begin = place
        return span


class Cutter:
    """Cuts one recording whose windows last `window_seconds`; ValueError if the lengths contradict each other."""

    def __init__(self, cutting: Cutting, window_seconds: float) -> None:
        # Rounding must not undo it: 0.6 / 0.03 is more than 20 in floating point.
        windows = {
            name: round(getattr(cutting, name) / window_seconds, 6)
            for name in ("min_seconds", "max_seconds", "padding_seconds", "min_speech_seconds")
        }
        self._padding = math.ceil(windows["padding_seconds"])
        # One window more, because the last one of a recording may be partly outside it. And never padding alone.
        self._min = max(math.ceil(windows["min_seconds"]), self._padding) + 1
        self._max = math.floor(windows["max_seconds"])
        self._min_speech = max(1, math.ceil(windows["min_speech_seconds"]))
        if self._max < 2 * self._min:
            raise ValueError(
                f"segments of at most {cutting.max_seconds:g} s can't keep {cutting.min_seconds:g} s and "
                f"{cutting.padding_seconds:g} s of padding; let max_seconds be more than twice the larger of these"
            )
        self._threshold, self._stays = cutting.threshold, cutting.threshold - _HYSTERESIS
        self._time = 0
        self._stretch: _Stretch | None = None
        self._earlier = deque[float](maxlen=self._padding)  # powers of the windows before speech

    def add(self, probabilities: Floats, powers: Floats) -> list[Span]:
        """Spans that are complete after these windows [n]; `powers` are their mean squares."""
        spans: list[Span] = []
        for probability, power in zip(probabilities.tolist(), powers.tolist(), strict=True):
            self._hear(probability, power)
            spans += self._complete()
        return spans

    def finish(self) -> list[Span]:
        """The spans that are left at the end of the recording."""
        stretch = self._stretch
        if stretch is None:
            return []
        # A short last span begins earlier: so many windows before it are free, see `_complete`.
        if self._time - stretch.begin < self._min:
            stretch.begin = max(0, self._time - self._min)
        return self._close(min(self._end_of(stretch), self._time))

    @property
    def needed(self) -> int:
        """The first window that a span to come may begin with."""
        widened = max(0, self._time - self._min)
        return widened if self._stretch is None else min(widened, self._stretch.begin)

    def _hear(self, probability: float, power: float) -> None:
        stretch, is_voiced = self._stretch, probability >= self._threshold
        if stretch is None and is_voiced:
            begin = self._time - len(self._earlier)
            stretch = self._stretch = _Stretch(begin, [False] * len(self._earlier), self._earlier, 0)
        self._time += 1
        if stretch is None:
            self._earlier.append(power)
            return
        said = is_voiced or (probability >= self._stays and stretch.speech[-1])
        stretch.speech.append(said)
        stretch.powers.append(power)
        stretch.voiced += is_voiced
        if said:
            stretch.speech_end = self._time

    def _complete(self) -> list[Span]:
        stretch = self._stretch
        if stretch is None:
            return []
        # As much pause again is free after a span, so that the next one can be padded and, if short, widened.
        if self._time >= self._end_of(stretch) + self._min:
            return self._close(self._end_of(stretch))
        if stretch.speech_end - stretch.begin > self._max + self._min:
            earliest = stretch.begin + self._max // 2
            return [stretch.cut_off(self._place(stretch, earliest, stretch.begin + self._max))]
        return []

    def _end_of(self, stretch: _Stretch) -> int:
        return max(stretch.speech_end + self._padding, stretch.begin + self._min)

    def _close(self, end: int) -> list[Span]:
        stretch, spans = self._stretch, list[Span]()
        assert stretch is not None
        self._stretch = None
        free = self._time - end
        self._earlier.clear()
        self._earlier.extend(stretch.powers[len(stretch.powers) - free :])
        if stretch.voiced < self._min_speech:
            return []
        if end - stretch.begin > self._max:
            earliest = max(stretch.begin + self._min, end - self._max)
            latest = min(stretch.begin + self._max, end - self._min)
            spans.append(stretch.cut_off(self._place(stretch, earliest, latest)))
        return [*spans, Span(stretch.begin, end)]

    def _place(self, stretch: _Stretch, earliest: int, latest: int) -> int:
        """Where to cut between these windows: in the middle of the longest pause, or else where it is quietest."""
        first, last = earliest - stretch.begin, latest - stretch.begin
        place = quietest_place(np.array(stretch.speech), np.array(stretch.powers), first, last)
        return stretch.begin + place


def quietest_place(speech: Bools, powers: Floats, first: int, last: int) -> int:
    """The best of the places `first` to `last`, both included; place n lies before window n, 0 < n < windows.

    The middle of the longest pause that reaches into them, or as near to it as they allow; without any pause, the
    place whose two neighbours have the least power together. The later one of equals.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[True], speech, [True]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    within = (begins > 0) & (ends >= first) & (begins <= last)
    if within.any():
        begins, ends = begins[within], ends[within]
        longest = len(ends) - 1 - int(np.argmax((ends - begins)[::-1]))
        return int(np.clip((begins[longest] + ends[longest]) // 2, first, last))
    around = powers[first - 1 : last] + powers[first : last + 1]
    return last - int(np.argmin(around[::-1]))
