"""When an utterance of a stream is over: rules as Kaldi has them (`online2/online-endpoint.h`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal["silence", "length", "asked", "end", "turn"]
SILENCE: Final = "silence"
LENGTH: Final = "length"
TURN: Final = "turn"  # a talker's, in a conversation


@dataclass(frozen=True)
class SilenceRule:
    """Ends an utterance after `seconds` of silence.

    With `after_speech`, if there was speech, and if ending here costs at most `max_relative_cost` nats more than
    going on: the language model knows which words end a sentence.
    """

    seconds: float
    after_speech: bool = True
    max_relative_cost: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf or not self.max_relative_cost >= 0:
            raise ValueError(
                f"an endpoint's silence is {self.seconds:g} s and its relative cost {self.max_relative_cost:g}; "
                "give more than 0 s, and a cost of 0 or more"
            )


KALDI = (
    SilenceRule(5.0, after_speech=False),
    SilenceRule(0.5, max_relative_cost=2.0),
    SilenceRule(1.0, max_relative_cost=8.0),
    SilenceRule(2.0),
)


@dataclass(frozen=True)
class Endpoints:
    """An utterance ends by the first rule that holds, or near a word boundary after `longest` seconds."""

    rules: tuple[SilenceRule, ...] = KALDI
    longest: float = 20.0

    def __post_init__(self) -> None:
        if not 1 <= self.longest <= 3600:
            raise ValueError(f"an utterance of at most {self.longest:g} s is not useful; give 1 to 3600 s")

    def reason(
        self, seconds: float, silence: float, relative_cost: Callable[[], float]
    ) -> Literal["silence", "length"] | None:
        """Of an utterance of `seconds`, the last `silence` of which are silence; None if it goes on."""
        spoke = silence < seconds
        for rule in self.rules:
            applies = silence >= rule.seconds and (spoke or not rule.after_speech)
            if applies and (math.isinf(rule.max_relative_cost) or relative_cost() <= rule.max_relative_cost):
                return SILENCE
        return LENGTH if seconds >= self.longest else None
