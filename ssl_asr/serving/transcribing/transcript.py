"""What was said in some audio: words with times, in segments, and where the audio came from."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.serving.results import Word


@dataclass(frozen=True)
class TranscriptSegment:
    """Audio that was recognised as a whole; of several `alternatives` the best comes first.

    Of a conversation, a turn, and `output_channel`, from 0, is the recogniser's that had it. It says which turns may
    overlap, not who speaks.
    """

    start: float
    end: float
    words: tuple[Word, ...]
    alternatives: tuple[Alternative, ...] = ()
    output_channel: int | None = None

    @property
    def text(self) -> str:
        return " ".join(word.word for word in self.words)


@dataclass(frozen=True)
class Source:
    """The audio: one channel of a file, or `seconds` of it from `offset` on; the first channel is 0."""

    uri: str
    seconds: float
    offset: float = 0.0
    channel: int = 0


@dataclass(frozen=True)
class Transcript:
    """All times are seconds from the beginning of the source, so with an offset not from that of its file.

    Segments are in the order of their start. Only turns of a conversation, on two output channels, overlap. `name` is
    what the files of this transcript are called.
    """

    name: str
    source: Source
    segments: tuple[TranscriptSegment, ...]

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments if segment.words)
