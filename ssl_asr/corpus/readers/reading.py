"""What every reader of a corpus returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Reading:
    """The utterances of a corpus as listed, and the entries that name no usable audio.

    They have no order yet. Texts are as written, not yet normalised; None where the corpus has none. `counts` says
    how much else is listed that matches nothing, by what it is: {"texts without audio": 12}. A person is told of
    each. `rates` are seconds of the utterances by the sampling rate of their files, once that is checked, and
    `estimated_rates` those of the others, told from a few. `files` are all audio files that were looked at, or looked
    for in vain. `long` are recordings that are still to be cut into utterances; their lengths may be those of the
    list.
    """

    utterances: tuple[Utterance, ...]
    rejects: tuple[Reject, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    long: tuple[Utterance, ...] = ()
    estimated_rates: Mapping[str, float] = field(default_factory=dict)


def joined(parts: Iterable[Reading]) -> Reading:
    """The utterances of all parts in the order of speakers, files and times, with `order` from 0 for each speaker."""
    found = list(parts)
    rows = [each for part in found for each in part.utterances]
    rows.sort(key=lambda each: (each.speaker, each.audio, each.offset, each.id))
    return Reading(
        in_speaker_order(rows),
        tuple(reject for part in found for reject in part.rejects),
        _summed(part.counts for part in found),
        _summed(part.rates for part in found),
        frozenset().union(*(part.files for part in found)),
        tuple(each for part in found for each in part.long),
        _summed(part.estimated_rates for part in found),
    )


def _summed(parts: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    sums: dict[str, Number] = {}
    for part in parts:
        for name, value in part.items():
            sums[name] = sums[name] + value if name in sums else value
    return sums


def in_speaker_order(utterances: Iterable[Utterance]) -> tuple[Utterance, ...]:
    """`utterances` with `order` counted from 0 for each speaker; the input is in time order for each speaker."""
    places: dict[str, int] = {}
    ordered = []
    for utterance in utterances:
        place = places.get(utterance.speaker, 0)
        places[utterance.speaker] = place + 1
        ordered.append(replace(utterance, order=place))
    return tuple(ordered)
