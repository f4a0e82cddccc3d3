"""How late the starts and ends of turns are emitted (Sklyar et al. 2022).

Against a turn's true end: end point EP, when `<eot>` was emitted, and last subword LS. Against its true start: start
point SP, when `<sot>` was emitted, and first subword FS. Only groups of more than two turns with the right turn count
are measured. A group's last turn has no EP and LS and its first no SP and FS, for their marks are not trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ssl_asr.corpus.mixtures.turns import Turn, in_order
from ssl_asr.evaluation.percentiles import Percentiles, percentiles
from ssl_asr.evaluation.turns.counting import MANY
from ssl_asr.evaluation.turns.emissions import EmittedTurn, Group


@dataclass(frozen=True)
class TurnLatencies:
    """In seconds, positive where the network is late; None where no turn has such an emission."""

    end_point: Percentiles | None
    last_subword: Percentiles | None
    start_point: Percentiles | None
    first_subword: Percentiles | None


def turn_latencies(groups: Sequence[Group]) -> TurnLatencies:
    """Spoken and emitted turns of a group are paired by their order: of starts, and of the first emissions."""
    pairs = list(_pairs(groups))
    ends = [each for each in pairs if not each.is_last]
    starts = [each for each in pairs if not each.is_first]
    return TurnLatencies(
        end_point=percentiles([each.emitted.ended - each.end for each in ends if each.emitted.ended is not None]),
        last_subword=percentiles([each.emitted.subwords[-1].seconds - each.end for each in ends]),
        start_point=percentiles(
            [each.emitted.started - each.start for each in starts if each.emitted.started is not None]
        ),
        first_subword=percentiles([each.emitted.subwords[0].seconds - each.start for each in starts]),
    )


@dataclass(frozen=True)
class _Pair:
    """A spoken turn, from `start` to `end` in seconds, and the emitted one; whether it starts first, or ends last."""

    start: float
    end: float
    emitted: EmittedTurn
    is_first: bool
    is_last: bool


def _pairs(groups: Sequence[Group]) -> Iterator[_Pair]:
    for group in groups:
        if len(group.turns) > MANY and group.is_counted_right:
            spoken = in_order(group.turns)
            last = max(spoken, key=lambda turn: turn.end)
            for turn, emitted in zip(spoken, group.emitted, strict=True):
                yield _paired(turn, emitted, group.sample_rate, first=spoken[0], last=last)


def _paired(turn: Turn, emitted: EmittedTurn, sample_rate: int, *, first: Turn, last: Turn) -> _Pair:
    return _Pair(turn.start / sample_rate, turn.end / sample_rate, emitted, turn is first, turn is last)
