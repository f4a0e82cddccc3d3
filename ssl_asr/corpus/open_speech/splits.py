"""Cuts open speech into labeled, unlabeled, dev and test, disjoint by text and, for some tests, by speaker."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ssl_asr.corpus.open_speech.speech import OpenSpeech
from ssl_asr.corpus.seeding import digest
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.recipe import Corpus
from ssl_asr.store.utterance import OTHER_CHANNEL, Utterance

_LETTERS_A_SECOND = (4.0, 20.0)  # slower: mostly silence or no speech; faster: the text belongs to other audio
_WORDS = 2


@dataclass(frozen=True)
class Splits:
    """Clean utterances by split, with normalised texts also on the unlabeled ones."""

    labeled: tuple[Utterance, ...]
    unlabeled: tuple[Utterance, ...]
    dev: tuple[Utterance, ...]
    test: tuple[Utterance, ...]
    written: tuple[str, ...]  # sentences for the language model: none of dev's or test's


def usable(utterance: Utterance, corpus: Corpus) -> bool:
    """Whether a clip's text is plausible for its length: enough words, known characters, a normal speaking rate."""
    text = utterance.text or ""
    spoken = A_TO_Z.normalise(text)
    rate = len(re.sub(r"[^a-z]", "", spoken)) / max(utterance.duration, 1e-3)
    return (
        corpus.min_seconds <= utterance.duration <= corpus.max_seconds
        and len(spoken.split()) >= _WORDS
        and not A_TO_Z.unknown_characters(text)
        and _LETTERS_A_SECOND[0] <= rate <= _LETTERS_A_SECOND[1]
    )


def cut_open_speech(speech: OpenSpeech, corpus: Corpus, seed: int) -> Splits:
    """Test sets first, then dev, labeled and unlabeled; each split shares no text with the splits before it.

    Held-out speakers are in no other split, whether or not all of their speech is tested.
    """
    kept = [
        replace(utterance, text=A_TO_Z.normalise(utterance.text or ""))
        for utterance in speech.utterances
        if usable(utterance, corpus)
    ]
    test: list[Utterance] = []
    for name, speakers in [*speech.held_out.items(), *speech.seen.items()]:
        spoken = [utterance for utterance in kept if utterance.speaker in speakers]
        tags = {"set": name} | ({"channel": OTHER_CHANNEL} if name in speech.other_channels else {})
        test += [_tagged(utterance, tags) for utterance in _take(spoken, corpus.test_minutes, seed)]
    held_out = frozenset().union(*speech.held_out.values())
    tested = {utterance.text for utterance in test}
    pool = [utterance for utterance in kept if utterance.speaker not in held_out and utterance.text not in tested]
    dev = _take(pool, corpus.dev_minutes, seed)
    pool = _without(pool, dev)
    share = _share(pool, corpus)
    labeled = _take(pool, share * corpus.labeled_minutes, seed)
    left = _without(pool, labeled)
    unlabeled = left if corpus.unlabeled_minutes is None else _take(left, share * corpus.unlabeled_minutes, seed)
    written = sorted(utterance.text or "" for utterance in pool)
    return Splits(
        tuple(labeled), tuple(unlabeled), tuple(_tagged(u, {"set": "dev"}) for u in dev), tuple(test), tuple(written)
    )


def _share(pool: Sequence[Utterance], corpus: Corpus) -> float:
    """1, or less if speech is short: then labeled and unlabeled shrink by the same factor, with a warning."""
    minutes = sum(utterance.duration for utterance in pool) / 60
    wanted = corpus.labeled_minutes + (corpus.unlabeled_minutes or corpus.labeled_minutes)
    if wanted <= minutes:
        return 1.0
    print(
        f"warning: the recipe asks for {wanted:.0f} min of labeled and unlabeled speech, but there are {minutes:.0f} "
        "min; both are cut in proportion",
        file=sys.stderr,
    )
    return minutes / wanted


def _take(utterances: Iterable[Utterance], minutes: float, seed: int) -> list[Utterance]:
    """Whole groups of one text, in random order, until `minutes` are reached."""
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.text or "", []).append(utterance)
    taken: list[Utterance] = []
    seconds = 0.0
    for text in sorted(groups, key=lambda text: digest(seed, "split", text)):
        if seconds >= 60 * minutes:
            break
        taken += groups[text]
        seconds += sum(utterance.duration for utterance in groups[text])
    return taken


def _without(utterances: Sequence[Utterance], taken: Sequence[Utterance]) -> list[Utterance]:
    texts = {utterance.text for utterance in taken}
    return [utterance for utterance in utterances if utterance.text not in texts]


def _tagged(utterance: Utterance, tags: Mapping[str, str]) -> Utterance:
    return replace(utterance, tags={**utterance.tags, **tags})
