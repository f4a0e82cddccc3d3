"""What a stream of a conversation gives: a result for each turn, of the output channel that has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ssl_asr.decoding.scores import FRAME_SECONDS, Float32
from ssl_asr.serving.endpoints import SILENCE, TURN, Endpoints, Reason
from ssl_asr.serving.results import Final, Partial, Word
from ssl_asr.serving.streaming.cuts import SILENCE_AGAIN, again_after
from ssl_asr.serving.streaming.words import seconds
from ssl_asr.transducer.channel_search import ChannelSearch, split_channels
from ssl_asr.transducer.spoken_turns import SpokenTurn


class TurnResults:
    """As `StreamResults`. A turn is final when its end was emitted, and nothing can change its words any more.

    The last turn of a conversation is trained to have no `<eot>`, so it ends by an endpoint, or with the stream. At
    an endpoint nobody has spoken for a while on any channel, or the searches have become too long; then they begin
    anew. Without `endpoints` they never do.
    """

    def __init__(
        self,
        new_search: Callable[[], ChannelSearch],
        channels: int,
        endpoints: Endpoints | None,
        *,
        confidences: bool,
    ) -> None:
        self._new_search, self._channels = new_search, channels
        self._endpoints, self._confidences = endpoints, confidences
        self._search, self._first_frame, self._number = new_search(), 0, 0
        self._last: Float32 | None = None  # outputs of the frames that an endpoint may search again

    @property
    def frames(self) -> int:
        return self._first_frame + self._search.frames

    def advance(self, outputs: Float32) -> list[Final]:
        if not np.isfinite(outputs).all():
            raise ValueError("outputs of the encoder are not finite: the model or its features hold NaN or infinity")
        found = []
        for output in outputs[:, None]:  # frame by frame: what has ended does not depend on how frames come
            self._search.accept(split_channels(output, self._channels))
            found += self._finals(self._search.take_ended(), TURN)
        if self._endpoints is None:
            return found
        self._keep(outputs)
        silent = self._search.silence()
        duration, silence = FRAME_SECONDS * self._search.frames, FRAME_SECONDS * silent
        reason = self._endpoints.reason(duration, silence, lambda: math.inf)
        return found if reason is None else [*found, *self._cut(reason, silent)]

    def partial(self, with_times: bool) -> Partial:
        """Of all turns under way, one turn after the other, the one that began first first."""
        turns = self._search.open_turns()
        words = [word for turn in turns for word in self._words(turn)]
        start = seconds(self._first_frame + turns[0].first) if turns else seconds(self.frames)
        return Partial(self._number, start, tuple(each.word for each in words), tuple(words) if with_times else ())

    def end(self, reason: Reason) -> list[Final]:
        return self._cut(reason, 0)

    def _cut(self, reason: Reason, silent: int) -> list[Final]:
        """The turns under way, or where there is none a result without a word; the searches begin anew."""
        found = self._finals(self._search.open_turns(), reason)
        if not found:
            here = seconds(self.frames)
            found = [Final(self._number, here, here, (), reason)]
            self._number += 1
        again = again_after(silent) if reason == SILENCE else 0
        self._first_frame, self._search = self.frames - again, self._new_search()
        if again:
            assert self._last is not None, "at least these frames were searched"
            self._search.accept(split_channels(self._last[-again:], self._channels))
        return found

    def _keep(self, outputs: Float32) -> None:
        kept = outputs if self._last is None else np.concatenate([self._last, outputs])
        self._last = kept[-SILENCE_AGAIN:].copy()

    def _finals(self, turns: Sequence[SpokenTurn], reason: Reason) -> list[Final]:
        found = []
        for turn in turns:
            start, end = seconds(self._first_frame + turn.first), seconds(self._first_frame + turn.last + 1)
            found.append(Final(self._number, start, end, self._words(turn), reason, (), turn.channel))
            self._number += 1
        return found

    def _words(self, turn: SpokenTurn) -> tuple[Word, ...]:
        first = self._first_frame
        return tuple(
            Word(
                each.word,
                seconds(first + each.first),
                seconds(first + each.last + 1),
                round(min(each.confidence, 1.0), 3) if self._confidences else None,
            )
            for each in turn.words
        )
