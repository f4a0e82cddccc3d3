"""What a protocol does with audio: its session at a worker, and the figures of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from ssl_asr.serving.server.metrics import Metrics
from ssl_asr.serving.server.pool import Pool, Session
from ssl_asr.serving.server.wire import Encoding, Heard

_BYTES = {"int16": 2, "float32": 4}


class OpenSession:
    """`is_open` until it has finished, or can't go on."""

    def __init__(self, session: Session, metrics: Metrics, bytes_a_second: int) -> None:
        self._session, self._metrics, self._bytes_a_second = session, metrics, bytes_a_second
        self.is_open = True

    async def hear(self, data: bytes, with_times: bool = False) -> Heard:
        """Refusal if the bytes are no audio."""
        self._metrics.audio_seconds.inc(len(data) / self._bytes_a_second)
        return await self._timed(self._session.hear(data, with_times))

    async def end_utterance(self) -> Heard:
        return await self._timed(self._session.end_utterance())

    async def finish(self) -> Heard:
        """The last results; only `close` may follow."""
        self.is_open = False
        return await self._timed(self._session.finish())

    def close(self) -> None:
        self._session.close()

    async def _timed(self, asked: Awaitable[Heard]) -> Heard:
        is_open, self.is_open = self.is_open, False  # stays so if it raises
        began = time.monotonic()
        heard = await asked
        self._metrics.reply_seconds.observe(time.monotonic() - began)
        self._metrics.busy_seconds.inc(heard.busy)
        self._metrics.finals.inc(len(heard.finals))
        self.is_open = is_open
        return heard


class Sessions:
    """Of one connection, which begins at most one: when its audio begins, since before that its rate may change."""

    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self._pool, self._metrics = pool, metrics
        self._session: OpenSession | None = None

    def begin(self, sample_rate: int, encoding: Encoding, *, confidences: bool, alternatives: int = 0) -> OpenSession:
        """Refusal if no worker is there."""
        session = self._pool.session(sample_rate, encoding, confidences=confidences, alternatives=alternatives)
        self._session = OpenSession(session, self._metrics, _BYTES[encoding] * sample_rate)
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
