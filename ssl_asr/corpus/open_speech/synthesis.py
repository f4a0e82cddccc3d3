"""Synthesised speech for machines that can't fetch recorded speech: SVOX Pico through py-nanotts.

Two English voices at several pitches and tempos make pseudo talkers. A small grammar makes the sentences. This speech
shows that every stage works; it says nothing about accuracy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ssl_asr.progress import Progress

VERSION = 1
RATE = 16000
_SENTENCES = 1600  # of all talkers but those of babble; about 2.9 s each
_BABBLE_SENTENCES = 12  # of each babble talker


@dataclass(frozen=True)
class Talker:
    """One of Pico's voices, such as "en-US"; pitch and speed are factors."""

    voice: str
    pitch: float
    speed: float


_TALKERS = {
    "synth-us-low": Talker("en-US", 0.75, 1.0),
    "synth-us-plain": Talker("en-US", 1.0, 1.0),
    "synth-us-high": Talker("en-US", 1.25, 1.1),
    "synth-us-slow": Talker("en-US", 0.9, 0.85),
    "synth-gb-low": Talker("en-GB", 0.75, 1.05),
    "synth-gb-plain": Talker("en-GB", 1.0, 0.95),
    "synth-gb-high": Talker("en-GB", 1.3, 1.0),
}
_BABBLE_TALKERS = {
    "noise-us": Talker("en-US", 1.1, 0.95),
    "noise-gb": Talker("en-GB", 0.85, 1.1),
    "noise-us-test": Talker("en-US", 0.82, 1.05),
    "noise-gb-test": Talker("en-GB", 1.15, 0.9),
}
BABBLE = {"train": ("noise-us", "noise-gb"), "test": ("noise-us-test", "noise-gb-test")}
HELD_OUT = ("synth-gb-high",)
SEEN = ("synth-us-plain",)

_WORDS = {
    "N": "captain doctor farmer teacher sailor painter neighbor stranger sister brother lawyer driver singer "
    "baker hunter soldier pilot nurse student writer",
    "O": "boat river garden letter window basket candle engine bottle ladder mirror bridge ticket hammer blanket "
    "picture wagon kitchen mountain harbor village station market forest island castle tower valley",
    "A": "small heavy yellow broken silent empty golden narrow simple hidden frozen wooden little famous dirty "
    "gentle hungry clever ancient ordinary",
    "V": "found lost carried painted opened followed borrowed repaired noticed covered watched remembered wanted "
    "forgot examined described dropped returned moved visited",
    "P": "near behind under above beside beyond inside across against around",
    "T": "yesterday today tomorrow tonight again later already early often never",
    "Q": "why when how where",
}
_TEMPLATES = (
    "the {A} {N} {V} a {O} {P} the {O}",
    "my {N} {V} the {O} {T}",
    "{Q} did the {N} say that the {O} was {A}",
    "nobody {V} the {A} {O} {P} our {O}",
    "i think the {N} and the {N} {V} it {T}",
    "please put the {A} {O} {P} that {O}",
    "we {V} every {O} that the {A} {N} {V}",
    "there is a {A} {O} {P} the {A} {O}",
    "she {V} her {O} {T} because the {N} was {A}",
    "do you know if the {N} {V} this {O}",
)


@dataclass(frozen=True)
class Spoken:
    """One synthesised sentence: `file` is its name in the folder given to `speak_all`."""

    id: str
    file: str
    speaker: str
    text: str


@dataclass(frozen=True)
class Line:
    """A sentence to be spoken: the `number`th of its speaker's list."""

    speaker: str
    talker: Talker
    number: int
    text: str


def sentences(count: int, seed: int) -> list[str]:
    """`count` different sentences, the same for the same seed."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        sentence = rng.choice(_TEMPLATES)
        for kind, words in _WORDS.items():
            while "{" + kind + "}" in sentence:
                sentence = sentence.replace("{" + kind + "}", rng.choice(words.split()), 1)
        found[sentence] = None
    return list(found)


def speak_all(folder: Path) -> Iterator[Spoken]:
    """Write every sentence of every talker into `folder`; ValueError if the synthesiser isn't installed."""
    names = list(_TALKERS)
    shared = sentences(_SENTENCES, seed=1)
    lines = [(names[index % len(names)], index, text) for index, text in enumerate(shared)]
    for number, name in enumerate(_BABBLE_TALKERS):
        own = sentences(_BABBLE_SENTENCES, seed=100 + number)
        lines += [(name, index, text) for index, text in enumerate(own)]
    talkers = _TALKERS | _BABBLE_TALKERS
    try:
        yield from speak(folder, [Line(name, talkers[name], index, text) for name, index, text in lines])
    except ValueError as error:
        raise ValueError(f"recorded speech can't be fetched, and {error}") from error


def speak(folder: Path, lines: Sequence[Line]) -> Iterator[Spoken]:
    """Write every line into `folder` as FLAC; ValueError if the synthesiser isn't installed."""
    try:
        from py_nanotts import NanoTTS
    except ImportError as error:
        raise ValueError("the synthesiser is not installed: pip install 'ssl-asr[synthetic]'") from error
    synthesiser = NanoTTS()
    progress = Progress("synthesising speech", len(lines), "sentences")
    for line in lines:
        progress.advance()
        talker = line.talker
        pcm = synthesiser.speak(line.text, voice=talker.voice, pitch=talker.pitch, speed=talker.speed)
        file = f"{line.speaker}-{line.number:04d}.flac"
        soundfile.write(folder / file, np.frombuffer(pcm, "<i2"), RATE)
        yield Spoken(file.removesuffix(".flac"), file, line.speaker, line.text)
