"""The pronunciation lexicon of a run: by cmudict, a given lexicon or letters, and G2P for words outside a lexicon.

`hmm/lexicon.txt` holds the words of all texts, `hmm/phones.txt` the phones. A word's pronunciations depend on the
word, on how G2P was trained and, where letters are phones, on the labeled texts, never on the other words. So no
product but this file depends on which other words there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from ssl_asr.lang.phones import ENGLISH, SILENCE, PhoneSet
from ssl_asr.store import filesystem
from ssl_asr.store.hmm_layout import lexicon_uri, phones_uri, unlabeled_lexicon_uri

Phones = tuple[str, ...]
WORD = re.compile(r"[a-z']*[a-z][a-z']*")  # the alphabet of normalised texts


@dataclass(frozen=True)
class Lexicon:
    """Words in alphabetical order, each with its pronunciations by `phones`, the most usual first."""

    pronunciations: Mapping[str, tuple[Phones, ...]]
    phones: PhoneSet

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.pronunciations)

    def entries(self, words: Iterable[str]) -> list[tuple[str, Phones]]:
        """(word, phones) of every pronunciation of `words`; KeyError for one that is not here."""
        return [(word, phones) for word in words for phones in self.pronunciations[word]]

    def of(self, words: Iterable[str]) -> Lexicon:
        """That of some of its words; KeyError for one that is not here."""
        return Lexicon({word: self.pronunciations[word] for word in words}, self.phones)

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Those of `words` without a pronunciation, each once, in their order."""
        return [word for word in dict.fromkeys(words) if word not in self.pronunciations]

    def __or__(self, other: Lexicon) -> Lexicon:
        """The words of both, which have the same phones."""
        assert self.phones == other.phones, "lexicons of one run"
        return Lexicon(dict(sorted({**self.pronunciations, **other.pronunciations}.items())), self.phones)

    def to_text(self) -> str:
        return "".join(f"{word} {' '.join(phones)}\n" for word, phones in self.entries(self.words))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, Phones]], phones: PhoneSet) -> Lexicon:
        found: dict[str, dict[Phones, None]] = {}
        for word, spoken in pairs:
            found.setdefault(word, {})[spoken] = None
        return cls({word: tuple(found[word]) for word in sorted(found)}, phones)

    @classmethod
    def from_text(cls, text: str, phones: PhoneSet, name: str = "lexicon") -> Lexicon:
        """Parses lines `word PH PH PH`; ValueError naming the first bad line."""
        pairs = []
        for number, line in enumerate(text.splitlines(), 1):
            word, *spoken = line.split()
            wrong = [phone for phone in spoken if phone not in phones.ids or phone == SILENCE]
            if wrong or not spoken:
                known = f"its {len(phones) - 1} phones" if phones != ENGLISH else "phones of cmudict"
                raise ValueError(f"{name}, line {number}: '{line}' is not a word followed by {known}")
            pairs.append((word, tuple(spoken)))
        return cls.from_pairs(pairs, phones)


@cache
def cmudict() -> Lexicon:
    """126,052 American English words with pronunciations, without stress, as pocketsphinx carries them."""
    import pocketsphinx  # a recogniser reads lexicons too, and needs no cmudict

    path = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    pairs = []
    for line in path.read_text().splitlines():
        word, *phones = line.split()
        word = re.sub(r"\(\d+\)$", "", word)
        if WORD.fullmatch(word):
            pairs.append((word, tuple(phones)))
    return Lexicon.from_pairs(pairs, ENGLISH)


def write_lexicon(run: str, lexicon: Lexicon) -> None:
    filesystem.write_if_changed(phones_uri(run), lexicon.phones.to_text().encode())
    filesystem.write_if_changed(lexicon_uri(run), lexicon.to_text().encode())


def read_phones(run: str) -> PhoneSet:
    """Those of the run's lexicon; cmudict's where the run does not say, as one of an earlier version."""
    uri = phones_uri(run)
    return PhoneSet.from_text(filesystem.read_bytes(uri).decode(), uri) if filesystem.exists(uri) else ENGLISH


def read_lexicon(run: str) -> Lexicon:
    """The run's lexicon; ValueError if the hmm stage has not written it."""
    return _read(run, lexicon_uri(run))


def read_unlabeled_lexicon(run: str) -> Lexicon:
    """The run's lexicon with the words of the unlabeled speech's texts; ValueError as above."""
    return read_lexicon(run) | _read(run, unlabeled_lexicon_uri(run))


class RunLexicons:
    """The lexicons of a run; each is read when a split first needs it."""

    def __init__(self, run: str) -> None:
        self._run = run

    def of(self, split: str) -> Lexicon:
        """ValueError as `read_lexicon`."""
        return self._unlabeled if split == "unlabeled" else self._labeled

    @cached_property
    def _labeled(self) -> Lexicon:
        return read_lexicon(self._run)

    @cached_property
    def _unlabeled(self) -> Lexicon:
        return read_unlabeled_lexicon(self._run)


def _read(run: str, uri: str) -> Lexicon:
    return Lexicon.from_text(filesystem.read_bytes(uri).decode(), read_phones(run), uri)
