"""From audio that was named to transcripts: one pass over each recording, cut by voice activity if it is long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import chain

import numpy as np

from ssl_asr.corpus.audio import audio_blocks
from ssl_asr.corpus.segment.cutting import Cutting
from ssl_asr.corpus.segment.recordings import AudioSegment, Samples, cut
from ssl_asr.decoding.scores import Float32, Scales
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.serving.adapting import finder_of
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.inputs import AudioInput
from ssl_asr.serving.results import Word
from ssl_asr.serving.scorer import OnlineScorer
from ssl_asr.serving.transcript import Alternative, Source, Transcript, TranscriptSegment

_LEAST_SECONDS = 0.025  # one frame


class Transcriber:
    """Recordings of up to `cutting.max_seconds` are recognised whole, others in segments by one talker after another.

    The energy floor and the running mean of a recording go on from segment to segment, as in a stream.
    """

    def __init__(
        self, engine: Engine, *, alternatives: int = 0, cutting: Cutting | None = None, confidences: bool = True
    ) -> None:
        self._engine, self._alternatives, self._confidences = engine, alternatives, confidences
        self._cutting = cutting or Cutting()
        self._finder = finder_of(engine) if alternatives else None

    def transcribe(
        self,
        found: AudioInput,
        heard: Callable[[TranscriptSegment], None] | None = None,
        speaker: SpeakerState | None = None,
    ) -> Transcript:
        """What is said in the audio; `heard` gets each segment as soon as it is recognised.

        `speaker` is what is known of the talker, and goes on with the audio. ValueError with one sentence where the
        audio is missing, damaged or shorter than a frame.
        """
        rate, segments = self._engine.sample_rate, list[TranscriptSegment]()
        speaker = speaker or self.new_speaker()
        audio = audio_blocks(found.uri, rate, channel=found.channel, offset=found.offset, duration=found.duration)
        blocks = _Counted(audio)
        for part in _whole_or_cut(blocks, rate, self._cutting):
            segment = self._recognise(part, speaker)
            segments.append(segment)
            if heard is not None:
                heard(segment)
        seconds = blocks.samples / rate
        if seconds < _LEAST_SECONDS:
            raise ValueError(f"{found.uri}: it lasts {seconds:.3f} s, which is less than a frame; record it again")
        source = Source(found.uri, round(seconds, 3), found.offset, found.channel)
        return Transcript(found.name, source, tuple(segments))

    def new_speaker(self) -> SpeakerState:
        """Of a talker who was not heard yet."""
        described = self._engine.bundle.description
        return SpeakerState(np.array(described.prior.mean), described.prior.level, described.frontend)

    def _recognise(self, part: AudioSegment, speaker: SpeakerState) -> TranscriptSegment:
        before = deepcopy(speaker) if self._finder else speaker  # the stream changes it
        stream = self._engine.stream(endpoints=None, speaker=speaker, confidences=self._confidences)
        finals = [*stream.accept(part.samples), *stream.finish()]
        words = tuple(_later(word, part.start) for final in finals for word in final.words)
        alternatives = self._others(part.samples, [word.word for word in words], before)
        return TranscriptSegment(round(part.start, 3), round(part.end, 3), words, alternatives)

    def _others(self, samples: Samples, words: list[str], speaker: SpeakerState) -> tuple[Alternative, ...]:
        if self._finder is None or not words:
            return ()
        found = self._finder.words("", words, self._scores(samples, speaker)).alternatives
        return tuple(Alternative(each.text, each.log_probability) for each in found[: self._alternatives])

    def _scores(self, samples: Samples, speaker: SpeakerState) -> Float32:
        engine, described = self._engine, self._engine.bundle.description
        scales = Scales(described.scoring.acoustic_scale, described.scoring.prior_scale)
        frontend = OnlineFrontend(described.frontend, speaker)
        scorer = OnlineScorer(engine.network, engine.senones.log_priors, scales, engine.block)
        frames = np.concatenate([frontend.accept(samples), frontend.finish()])
        return np.concatenate([*scorer.accept(frames), *scorer.finish()])


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
            if samples >= _LEAST_SECONDS * rate:
                yield AudioSegment(0.0, samples / rate, np.concatenate(first))
            return
        first.append(block)
        samples += len(block)
    yield from cut(chain(first, following), rate, cutting)


def _later(word: Word, start: float) -> Word:
    return replace(word, start=round(word.start + start, 3), end=round(word.end + start, 3))
