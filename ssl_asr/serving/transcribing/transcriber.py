"""From audio that was named to transcripts: one pass over each recording, cut by voice activity if it is long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from ssl_asr.corpus.audio import audio_blocks
from ssl_asr.corpus.segment.cutting import Cutting
from ssl_asr.corpus.segment.recordings import AudioSegment, Samples, cut
from ssl_asr.frontend.online import SpeakerState
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.results import Final, Word
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcript import Source, Transcript, TranscriptSegment

LEAST_SECONDS = 0.025  # one frame


class Transcriber:
    """Recordings of up to `cutting.max_seconds` are recognised whole, others in segments by one talker after another.

    The energy floor and the running mean of a recording go on from segment to segment, as in a stream.
    """

    def __init__(
        self, engine: Engine, *, alternatives: int = 0, cutting: Cutting | None = None, confidences: bool = True
    ) -> None:
        self._engine, self._alternatives, self._confidences = engine, alternatives, confidences
        self._cutting = cutting or Cutting()

    def transcribe(
        self,
        found: AudioInput,
        heard: Callable[[TranscriptSegment], None] | None = None,
        speaker: SpeakerState | None = None,
    ) -> Transcript:
        """What is said in the audio; `heard` gets each segment as soon as it is recognised.

        `speaker` is what is known of the talker, and goes on with the audio. ValueError with one sentence that names
        the audio where it is missing, damaged or shorter than a frame.
        """
        rate, segments = self._engine.sample_rate, list[TranscriptSegment]()
        speaker = speaker or self._engine.new_speaker()
        audio = audio_blocks(found.uri, rate, channel=found.channel, offset=found.offset, duration=found.duration)
        blocks = _Counted(audio)
        for part in _whole_or_cut(blocks, rate, self._cutting):
            for segment in self._recognise(found.uri, part, speaker):
                segments.append(segment)
                if heard is not None:
                    heard(segment)
        seconds = blocks.samples / rate
        if seconds < LEAST_SECONDS:
            raise ValueError(f"{found.uri}: {too_short(seconds)}")
        source = Source(found.uri, round(seconds, 3), found.offset, found.channel)
        return Transcript(found.name, source, tuple(segments))

    def _recognise(self, uri: str, part: AudioSegment, speaker: SpeakerState) -> list[TranscriptSegment]:
        """One for the whole part; of a conversation one for each turn, by its start."""
        stream = self._engine.stream(
            endpoints=None, speaker=speaker, confidences=self._confidences, alternatives=self._alternatives
        )
        try:
            finals = [*stream.accept(part.samples), *stream.finish()]
        except ValueError as error:
            raise ValueError(f"{uri}: {error}") from error
        turns = [final for final in finals if final.output_channel is not None]
        return [_segment(final, part) for final in sorted(turns, key=lambda each: each.start) or finals]


def too_short(seconds: float) -> str:
    return f"it lasts {seconds:.3f} s, which is less than a frame; record it again"


class _Counted:
    """Passes blocks on and counts their samples."""

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self._blocks, self.samples = blocks, 0

    def __iter__(self) -> Iterator[Samples]:
        for block in self._blocks:
            self.samples += len(block)
            yield block


def _whole_or_cut(blocks: Iterable[Samples], rate: int, cutting: Cutting) -> Iterator[AudioSegment]:
    following, first, samples = iter(blocks), list[Samples](), 0
    while samples <= cutting.max_seconds * rate:
        block = next(following, None)
        if block is None:
            if samples >= LEAST_SECONDS * rate:
                yield AudioSegment(0.0, samples / rate, np.concatenate(first))
            return
        first.append(block)
        samples += len(block)
    yield from cut(chain(first, following), rate, cutting)


def _segment(final: Final, part: AudioSegment) -> TranscriptSegment:
    """The whole part, or one turn of a conversation."""
    words = tuple(_in_recording(word, part) for word in final.words)
    if final.output_channel is None:
        return TranscriptSegment(round(part.start, 3), round(part.end, 3), words, final.alternatives)
    start, end = (_time_in_recording(time, part) for time in (final.start, final.end))
    return TranscriptSegment(start, end, words, output_channel=final.output_channel)


def _in_recording(word: Word, part: AudioSegment) -> Word:
    start, end = (_time_in_recording(time, part) for time in (word.start, word.end))
    return replace(word, start=start, end=end)


def _time_in_recording(seconds: float, part: AudioSegment) -> float:
    """The last frame may reach a little beyond its part."""
    return round(min(seconds + part.start, part.end), 3)
