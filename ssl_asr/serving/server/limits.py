"""What clients may ask of the server, and how they are told where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

REASON_BYTES = 120  # of a websocket's close (RFC 6455: 123)


class Kind(Enum):
    """Why a client is refused: the code that closes a websocket (RFC 6455, 7.4.1), and the status of HTTP."""

    FULL = (1013, 503)
    DRAINING = (1012, 503)
    TOKEN = (1008, 401)
    ORIGIN = (1008, 403)
    SIZE = (1009, 413)
    DATA = (1007, 400)
    PATH = (1008, 404)
    IDLE = (1008, 408)
    LENGTH = (1008, 413)
    UNREAD = (1008, 408)
    FAILURE = (1011, 500)

    @property
    def close_code(self) -> int:
        return self.value[0]

    @property
    def status(self) -> int:
        return self.value[1]

    @property
    def label(self) -> str:
        return self.name.lower()


class Refusal(Exception):
    """Ends a session or request; the text is the one sentence that its client gets."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True)
class Limits:
    """Of one server.

    `clients` are sessions at a time, `uploads` files that are received, waiting or recognised. A message may have
    `message_bytes`; `messages_per_second` are of those that carry little audio, and more are taken in later. A
    session ends after `idle_seconds` without a message and after `session_seconds` in all, a client that takes
    nothing for `unread_seconds` is dropped. A server that is told to stop lets sessions go on for `drain_seconds`.
    Files have at most `upload_bytes`, and come within `upload_seconds`.
    """

    clients: int = 32
    uploads: int = 8
    message_bytes: int = 1 << 20
    messages_per_second: float = 100.0
    idle_seconds: float = 60.0
    session_seconds: float = 4 * 3600.0
    unread_seconds: float = 10.0
    drain_seconds: float = 20.0
    upload_bytes: int = 2 << 30
    upload_seconds: float = 900.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ValueError(f"the limit {name} is {value:g}; give a number above 0")


class Pace:
    """Lets messages through at `rate` a second, and `_BURST_SECONDS` of them at once after a pause."""

    _BURST_SECONDS = 3.0

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._then = rate, now
        self._credit = self._most = rate * self._BURST_SECONDS

    def delay(self, share: float, now: float) -> float:
        """Seconds to wait before another message is taken in, which counts as this share of one."""
        self._credit = min(self._most, self._credit + (now - self._then) * self._rate)
        self._then = now
        self._credit -= share
        return max(0.0, -self._credit / self._rate)
