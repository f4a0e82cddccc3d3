"""Speech with its texts that is no split of a run: what a corpus reader finds at a path, to be scored on."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.registry import READERS, read_listed
from ssl_asr.lang.text import Alphabet
from ssl_asr.recipe import Corpus
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class TranscribedSet:
    """`utterances` have normalised texts and true lengths; `rejects` have no text, no audio or another fault."""

    source: str
    utterances: tuple[Utterance, ...]
    rejects: tuple[Reject, ...]
    alphabet: Alphabet


def read_transcribed_set(source: str, alphabet: Alphabet) -> TranscribedSet:
    """The speech that READER:PATH names, checked as a test split is; ValueError if none of it can be scored."""
    reader, colon, path = source.partition(":")
    if not colon or reader not in READERS:
        with_texts = ", ".join(name for name, each in READERS.items() if each.has_texts)
        raise ValueError(f"'{source}' names no transcribed speech; give one of {with_texts}, a colon and a path")
    found = checked(read_listed(reader, path), "test", Corpus(), alphabet=alphabet)
    if not found.utterances:
        why = f"; the first of {len(found.rejects)}: {found.rejects[0].reason}" if found.rejects else ""
        raise ValueError(f"{source} has no utterance that can be scored{why}")
    return TranscribedSet(source, found.utterances, found.rejects, alphabet)
