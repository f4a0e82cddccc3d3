"""Simulated accents: six synthetic voices (SVOX Pico) read English, each by the rules of its own language.

What a talker is, is made up: a voice at a pitch and a tempo, at a place in the country of that language. Some accents
have far less training speech than others. So who is understood worse, and where, is known beforehand. About a third
of each accent's talkers (5 of 16) live in another accent's country instead, as people move: place tells the accent
with errors, as a ZIP code does. Their voices are the same as if they had stayed. This speech shows how cohorts are
found and what is done for them; it says nothing about people of these countries.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ssl_asr.corpus.open_speech import synthesis
from ssl_asr.corpus.open_speech.clips import Clip, indexed
from ssl_asr.corpus.open_speech.synthesis import Line, Spoken, Talker
from ssl_asr.store.utterance import Utterance

VERSION = 2  # raise where other speech is made
CORPUS = "simulated-accents"  # its tag `corpus`, and the name of its test set
TRAINED, TESTED = 8, 8  # talkers of each accent; those of test are in no other split
_TESTED_SENTENCES = 80  # of each accent
_MOVED = {False: 3, True: 2}  # talkers of each accent who live in another's country, by whether they are of test
_SPREAD_DEGREES = 2.0  # of the talkers around the middle of their country
_PITCHES, _SPEEDS = (0.7, 1.4), (0.85, 1.15)


@dataclass(frozen=True)
class Accent:
    """`voice` is Pico's. `sentences` are of its talkers in training and dev, about 2.9 s each."""

    name: str
    voice: str
    latitude: float
    longitude: float
    sentences: int


ACCENTS = (
    Accent("american", "en-US", 39.0, -95.0, 480),
    Accent("british", "en-GB", 52.5, -1.5, 300),
    Accent("german", "de-DE", 51.0, 10.0, 120),
    Accent("french", "fr-FR", 46.5, 2.5, 120),
    Accent("spanish", "es-ES", 40.0, -4.0, 80),
    Accent("italian", "it-IT", 43.0, 12.0, 80),
)


@dataclass(frozen=True)
class AccentedTalker:
    """Somebody who does not exist, at a made-up place in degrees, in the country of the accent `lives_with`."""

    name: str
    accent: str
    lives_with: str
    talker: Talker
    latitude: float
    longitude: float
    is_tested: bool

    @property
    def tags(self) -> dict[str, str]:
        return {"accent": self.accent, "latitude": f"{self.latitude:.2f}", "longitude": f"{self.longitude:.2f}"}


def accented_talkers() -> list[AccentedTalker]:
    """The same ones always, those of an accent together."""
    return [_talker(accent, number) for accent in ACCENTS for number in range(TRAINED + TESTED)]


def accented_speech(root: Path) -> list[Utterance]:
    """Of all talkers, made in the cache `root` first where it is not there; ValueError without the synthesiser."""
    tags = {each.name: each.tags for each in accented_talkers()}

    def unpack(out: Path) -> Iterator[Clip]:
        for spoken in synthesis.speak(out, lines()):
            yield _clip(spoken)

    found = indexed(root / "clips" / f"{CORPUS}-{VERSION}", unpack)
    return [replace(each, tags={**each.tags, **tags[each.speaker]}) for each in found]


def tested_talkers() -> frozenset[str]:
    return frozenset(each.name for each in accented_talkers() if each.is_tested)


def lines() -> list[Line]:
    """What is said by whom: all sentences differ, and the talkers of an accent say about as many each."""
    counts = [(accent, accent.sentences, _TESTED_SENTENCES) for accent in ACCENTS]
    texts = iter(synthesis.sentences(sum(trained + tested for _, trained, tested in counts), seed=2))
    talkers = accented_talkers()
    found: list[Line] = []
    for accent, *sizes in counts:
        for size, is_tested in zip(sizes, (False, True), strict=True):
            mine = [each for each in talkers if each.accent == accent.name and each.is_tested == is_tested]
            found += _shared_out(mine, [next(texts) for _ in range(size)])
    return found


def _shared_out(talkers: list[AccentedTalker], texts: Iterable[str]) -> Iterator[Line]:
    for index, text in enumerate(texts):
        each = talkers[index % len(talkers)]
        yield Line(each.name, each.talker, index, text)


def _talker(accent: Accent, number: int) -> AccentedTalker:
    name, is_tested = _name(accent, number), number >= TRAINED
    draw = random.Random(name).uniform
    talker = Talker(accent.voice, round(draw(*_PITCHES), 3), round(draw(*_SPEEDS), 3))
    home = _home(accent, number)
    around = [middle + draw(-_SPREAD_DEGREES, _SPREAD_DEGREES) for middle in (home.latitude, home.longitude)]
    return AccentedTalker(name, accent.name, home.name, talker, around[0], around[1], is_tested)


def _home(accent: Accent, number: int) -> Accent:
    """Whose country the talker lives in; who has moved, and where, is drawn by name."""
    is_tested = number >= TRAINED
    numbers = range(TRAINED, TRAINED + TESTED) if is_tested else range(TRAINED)
    drawn = sorted(numbers, key=lambda each: random.Random(f"moves {_name(accent, each)}").random())
    if number not in drawn[: _MOVED[is_tested]]:
        return accent
    others = [each for each in ACCENTS if each != accent]
    return random.Random(f"moves to {_name(accent, number)}").choice(others)


def _name(accent: Accent, number: int) -> str:
    return f"accent-{accent.name}-{number:02d}"


def _clip(spoken: Spoken) -> Clip:
    return Clip(spoken.id, spoken.file, spoken.speaker, spoken.text, CORPUS)
