"""What a network emitted on its channels, and the turns that its marks cut this into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ssl_asr.corpus.mixtures.targets import CHANGE, END, START
from ssl_asr.corpus.mixtures.turns import Turn


@dataclass(frozen=True)
class Emission:
    """A subword or a mark of turns, and when the network emitted it, in seconds of the audio."""

    token: str
    seconds: float


@dataclass(frozen=True)
class EmittedTurn:
    """Subwords between marks, at least one; when `<sot>` before and `<eot>` after them were emitted, if they were."""

    subwords: tuple[Emission, ...]
    started: float | None = None
    ended: float | None = None

    @property
    def first(self) -> float:
        """When the first sign of the turn was emitted."""
        return self.subwords[0].seconds if self.started is None else self.started


@dataclass(frozen=True)
class Group:
    """What was said and what was emitted between two moments at which nobody speaks, as in a whole conversation.

    `turns` are the true ones, by start; `channels` are the emissions of each channel, in their order.
    """

    turns: tuple[Turn, ...]
    channels: tuple[tuple[Emission, ...], ...]
    sample_rate: int

    @property
    def emitted(self) -> tuple[EmittedTurn, ...]:
        """The turns of all channels, by the time of their first sign."""
        found = [turn for channel in self.channels for turn in emitted_turns(channel)]
        return tuple(sorted(found, key=lambda turn: turn.first))

    @property
    def ends(self) -> int:
        """How many `<eot>` were emitted."""
        return sum(each.token == END for channel in self.channels for each in channel)

    @property
    def is_counted_right(self) -> bool:
        return len(self.emitted) == len(self.turns)


@dataclass(frozen=True)
class RecognisedConversation:
    """The true turns by start, and what was emitted on each channel: subwords with marks, and the words they make."""

    id: str
    turns: tuple[Turn, ...]
    channels: tuple[tuple[Emission, ...], ...]
    words: tuple[tuple[str, ...], ...]


@dataclass
class _Open:
    """The turn under way."""

    started: float | None = None
    subwords: list[Emission] = field(default_factory=list)


def emitted_turns(channel: Sequence[Emission]) -> tuple[EmittedTurn, ...]:
    """The turns of one channel: subwords between `<sot>`, `<eot>` and `<cot>`, any of which parts two turns.

    A mark without a subword before the next mark makes no turn.
    """
    found, turn = list[EmittedTurn](), _Open()
    for each in channel:
        if each.token not in (START, END, CHANGE):
            turn.subwords.append(each)
            continue
        if turn.subwords:
            ended = each.seconds if each.token == END else None
            found.append(EmittedTurn(tuple(turn.subwords), turn.started, ended))
        turn = _Open(each.seconds if each.token == START else None)
    if turn.subwords:
        found.append(EmittedTurn(tuple(turn.subwords), turn.started))
    return tuple(found)
