"""Recordings of any length, cut by voice activity in one pass and with a memory that does not grow with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from ssl_asr.corpus.audio import TOLERANCE_SECONDS, native_blocks
from ssl_asr.corpus.segment.cutting import Cutter, Cutting, Span
from ssl_asr.corpus.segment.voice_activity import SAMPLE_RATE, WINDOW_SECONDS, VoiceActivity

Samples = npt.NDArray[np.float32]
_NOTHING: Samples = np.zeros(0, np.float32)


@dataclass(frozen=True)
class AudioSegment:
    """A segment of a recording, in seconds from its beginning, and its audio."""

    start: float
    end: float
    samples: Samples


@dataclass(frozen=True)
class SpeechSegments:
    """(start, end) of each segment in time order, and the length of what was heard; all in seconds.

    Times count from where hearing began. They are whole samples at `sample_rate`, the rate of the file.
    """

    segments: tuple[tuple[float, float], ...]
    seconds: float
    sample_rate: int

    @property
    def left_out_seconds(self) -> float:
        return self.seconds - sum(end - start for start, end in self.segments)


def speech_segments(
    uri: str,
    *,
    channel: int = 0,
    offset: float = 0.0,
    duration: float = math.inf,
    may_lack: float = TOLERANCE_SECONDS,
    cutting: Cutting | None = None,
    pipes: bool = False,
) -> SpeechSegments:
    """Where one channel of an audio file, or of a part of it, holds speech; ValueError as `native_blocks`."""
    recording: _Recording | None = None
    segments = list[tuple[float, float]]()
    blocks = native_blocks(uri, channel=channel, offset=offset, duration=duration, may_lack=may_lack, pipes=pipes)
    for rate, block in blocks:
        recording = recording or _Recording(rate, cutting or Cutting())
        segments += _times(recording.add(block))
    assert recording is not None, "a file without samples is refused"
    segments += _times(recording.finish())
    return SpeechSegments(tuple(segments), recording.seconds, recording.sample_rate)


def _times(segments: list[AudioSegment]) -> list[tuple[float, float]]:
    return [(segment.start, segment.end) for segment in segments]


def cut(blocks: Iterable[Samples], sample_rate: int, cutting: Cutting | None = None) -> Iterator[AudioSegment]:
    """The segments of audio that arrives in blocks [any length] at `sample_rate`, each as soon as it is complete."""
    recording = _Recording(sample_rate, cutting or Cutting())
    for block in blocks:
        yield from recording.add(block)
    yield from recording.finish()


class _Recording:
    """Keeps the audio that a segment to come may need."""

    def __init__(self, sample_rate: int, cutting: Cutting) -> None:
        self.sample_rate = sample_rate
        self._voice = VoiceActivity()
        self._cutter = Cutter(cutting, WINDOW_SECONDS)
        other = sample_rate != SAMPLE_RATE
        self._resampler = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, "float32") if other else None
        self._kept, self._first = list[Samples](), 0  # blocks from the sample `_first` of the recording on
        self._samples = 0

    @property
    def seconds(self) -> float:
        return self._samples / self.sample_rate

    def add(self, block: Samples) -> list[AudioSegment]:
        self._kept.append(block)
        self._samples += len(block)
        segments = self._segments_of(self._cutter.add(*self._voice.add(self._heard(block, last=False))))
        self._forget(self._place(self._cutter.needed))
        return segments

    def finish(self) -> list[AudioSegment]:
        rest = self._heard(_NOTHING, last=True)
        found = [self._voice.add(rest), self._voice.finish()]
        spans = [span for windows in found for span in self._cutter.add(*windows)]
        return self._segments_of([*spans, *self._cutter.finish()])

    def _heard(self, block: Samples, last: bool) -> Samples:
        return block if self._resampler is None else self._resampler.resample_chunk(block, last=last)

    def _segments_of(self, spans: list[Span]) -> list[AudioSegment]:
        if not spans:
            return []
        audio = np.concatenate(self._kept)
        self._kept = [audio]
        segments = []
        for span in spans:
            begin, end = self._place(span.begin), min(self._place(span.end), self._samples)
            samples = audio[begin - self._first : end - self._first].copy()  # a view would keep all of it
            segments.append(AudioSegment(begin / self.sample_rate, end / self.sample_rate, samples))
        return segments

    def _place(self, window: int) -> int:
        return round(window * WINDOW_SECONDS * self.sample_rate)

    def _forget(self, until: int) -> None:
        while self._kept and self._first < until:
            passed = self._kept[0][: until - self._first]
            self._first += len(passed)
            self._kept[0] = self._kept[0][len(passed) :]
            if not len(self._kept[0]):
                self._kept.pop(0)
