"""How many texts are in doubt, and whether they look shifted: counted by shard, told by the stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ssl_asr.hmm.text_check import DOUBTED_BELOW, TextCheck

# A speaker's texts look shifted if so many, and at least this share of them, are beaten by a neighbour's text.
LEAST_SHIFTED, SHIFTED_SHARE = 5, 0.3
# More in doubt than this: then the model, which was made from the same texts, can't tell which ones are right.
TOO_MANY_DOUBTED = 0.25
MOST_SPEAKERS = 10  # that one shard names

_KEYS = ("checked", "doubted", "before", "after")


@dataclass(frozen=True)
class Counts:
    """Texts checked, those in doubt, and those of these that the text of the utterance before or after beats."""

    checked: int = 0
    doubted: int = 0
    before: int = 0
    after: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, key) + getattr(other, key) for key in _KEYS))

    @classmethod
    def of(cls, check: TextCheck) -> Counts:
        doubted = check.probability < DOUBTED_BELOW
        return cls(1, int(doubted), int(doubted and check.shift == -1), int(doubted and check.shift == 1))

    @property
    def look_shifted(self) -> bool:
        most = max(self.before, self.after)
        return most >= LEAST_SHIFTED and most >= SHIFTED_SHARE * self.checked

    def to_dict(self) -> dict[str, int]:
        return {key: getattr(self, key) for key in _KEYS}


@dataclass
class TextCounts:
    """Of one shard, by speaker."""

    speakers: dict[str, Counts] = field(default_factory=dict)

    def add(self, speaker: str, check: TextCheck) -> None:
        self.speakers[speaker] = self.speakers.get(speaker, Counts()) + Counts.of(check)

    def statistics(self) -> dict[str, Any]:
        """For the ledger: all together, and by name the speakers whose texts look shifted."""
        total = sum(self.speakers.values(), Counts())
        shifted = sorted(name for name, counts in self.speakers.items() if counts.look_shifted)[:MOST_SPEAKERS]
        return {"texts": total.to_dict(), "shifted_texts": {name: self.speakers[name].to_dict() for name in shifted}}


def total_counts(statistics: Iterable[Mapping[str, Any]]) -> Counts:
    """Of all shards, by the statistics of their entries."""
    return sum((Counts(**each["texts"]) for each in statistics), Counts())


def warnings(statistics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Sentences on texts that look shifted, or of which too many are in doubt."""
    shards = list(statistics)
    total, said = total_counts(shards), []
    if total.look_shifted:
        said.append(_shifted("of the labeled speech", total))
    else:
        named = ((name, Counts(**counts)) for each in shards for name, counts in each["shifted_texts"].items())
        said += [_shifted(f"of the speaker {name}", counts) for name, counts in named]
    if total.doubted > TOO_MANY_DOUBTED * max(total.checked, 1):
        said.append(
            f"{total.doubted:,} of {total.checked:,} texts explain their audio hardly better than texts of other "
            "utterances do; check that the list of texts belongs to the list of audio, for example that it does not "
            "begin one line late"
        )
    return said


def _shifted(whose: str, counts: Counts) -> str:
    count, where = max((counts.before, "before"), (counts.after, "after"))
    return (
        f"{count:,} of {counts.checked:,} texts {whose} look shifted by one: the text of the utterance {where} fits "
        "the audio better; correct the list of texts"
    )
