"""Sets of phones: what a lexicon spells words with.

"SIL" is phone 0 of every set. In transducers phone p is label p + 1, since 0 means no label.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

SILENCE, SILENCE_ID = "SIL", 0
MOST_PHONES = 255  # with silence: a phone is stored in one byte


@dataclass(frozen=True)
class PhoneSet:
    """`names` begin with silence; the place of a phone there is its number. ValueError where they can't be a set."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.names[:1] != (SILENCE,):
            raise ValueError(f"the first of a set of phones is {SILENCE}, not {' '.join(self.names[:1]) or 'none'}")
        if len(self.names) > MOST_PHONES:
            raise ValueError(
                f"there are {len(self.names)} phones, and {MOST_PHONES} are possible, with silence; spell words with "
                "fewer phones, for example without tones or stress"
            )
        if twice := sorted(name for name in set(self.names) if self.names.count(name) > 1):
            raise ValueError(f"the phone {twice[0]} is there twice; phones have different names")
        if wrong := [name for name in self.names if name.split() != [name]]:
            raise ValueError(f"{wrong[0]!r} is no name of a phone; it has spaces, or no letter")

    @classmethod
    def of(cls, spoken: Iterable[str]) -> PhoneSet:
        """Silence and `spoken`, each once, sorted."""
        return cls((SILENCE, *sorted({*spoken} - {SILENCE})))

    @classmethod
    def from_text(cls, text: str, name: str) -> PhoneSet:
        """Parses `to_text`; ValueError that begins with `name`."""
        try:
            return cls(tuple(text.split()))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def to_text(self) -> str:
        return "".join(f"{name}\n" for name in self.names)

    @cached_property
    def ids(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)


# Those of cmudict without stress.
_CMUDICT = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
ENGLISH = PhoneSet((SILENCE, *_CMUDICT.split()))
