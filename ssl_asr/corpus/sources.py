"""From the recipe's four sources to four lists of clean utterances."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.corpus.open_speech.splits import cut_open_speech
from ssl_asr.corpus.readers.kaldi import TABLES, read_kaldi
from ssl_asr.corpus.readers.lhotse import read_lhotse
from ssl_asr.corpus.readers.librispeech import audio_below, read_librispeech, transcripts_below
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.lang.language import language_of
from ssl_asr.recipe import Corpus, Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum
from ssl_asr.store.utterance import SPLITS

OPEN_SPEECH = "open-speech"
KALDI = "kaldi"
READERS: dict[str, Callable[[str, int], Reading]] = {
    KALDI: read_kaldi,
    "librispeech": read_librispeech,
    "nemo": read_nemo,
    "lhotse": read_lhotse,
}
# The same, where no transcripts are needed.
AUDIO_READERS: Mapping[str, Callable[[str, int], Reading]] = {
    **READERS,
    "librispeech": partial(read_librispeech, texts=False),
}
# The files that say what a corpus holds.
LISTINGS: dict[str, Callable[[str], list[Path]]] = {
    KALDI: lambda path: [Path(path, name) for name in TABLES if Path(path, name).is_file()],
    "librispeech": transcripts_below,
    "nemo": lambda path: [Path(path)],
    "lhotse": lambda path: [Path(path)],
}


@dataclass(frozen=True)
class CorpusReading:
    """Clean utterances and rejects of the splits that were read.

    `open_text` are the sentences of all open speech that may be trained on, and `open_line` says in one line where
    it comes from; None where none was read. `open_id` tells one corpus of open speech from another.
    """

    splits: dict[str, Reading]
    open_text: tuple[str, ...] | None
    open_line: str | None
    open_id: str = ""


def check_sources(corpus: Corpus, read: Collection[str] = SPLITS) -> None:
    """ValueError naming the recipe's key if a source is neither open-speech nor an existing READER:PATH."""
    for split in SPLITS:
        source = getattr(corpus, split)
        reader, colon, path = source.partition(":")
        if source == OPEN_SPEECH:
            continue
        if not colon or reader not in READERS:
            near = difflib.get_close_matches(reader, [OPEN_SPEECH, *READERS], 1, cutoff=0.4)
            fix = f"did you mean '{near[0]}{'' if near[0] == OPEN_SPEECH else ':PATH'}'?" if near else ""
            raise ValueError(
                f"corpus.{split}={source} is not a source; "
                + (fix or f"use {OPEN_SPEECH} or one of {', '.join(READERS)}, a colon and a path")
            )
        if filesystem.is_uri(path):
            raise ValueError(f"corpus.{split}={source}: a corpus is listed by local files; copy or mount {path}")
        if split in read and not is_there(source):
            raise ValueError(f"corpus.{split}={source}: there is no {path}; fix the path")


def read_sources(recipe: Recipe, wanted: Sequence[str]) -> CorpusReading:
    """Read the splits `wanted` from their sources; open speech is fetched where one of them needs it."""
    named = {split: getattr(recipe.corpus, split) for split in SPLITS}
    speech = open_speech(recipe.corpus.cache) if any(named[split] == OPEN_SPEECH for split in wanted) else None
    cut = cut_open_speech(speech, recipe.corpus, recipe.seed) if speech else None
    own = {split: source for split, source in named.items() if source != OPEN_SPEECH}
    splits = {
        split: _read(own[split], split, recipe) if split in own else Reading(getattr(cut, split)) for split in wanted
    }
    return CorpusReading(
        splits,
        cut.written if cut else None,
        speech.source if speech else None,
        digest([f"{each.id} {each.duration:g}" for each in speech.utterances]) if speech else "",
    )


def _read(source: str, split: str, recipe: Recipe) -> Reading:
    """The usable part of a split outside open speech; utterances without a test set get the split's name as set."""
    reader, _, path = source.partition(":")
    readers = AUDIO_READERS if split == "unlabeled" else READERS
    pipes = recipe.corpus.pipes and reader == KALDI  # a manifest of another kind must not name commands
    read = partial(read_kaldi, pipes=pipes) if reader == KALDI else readers[reader]
    listed = read(os.path.expanduser(path), recipe.corpus.channel)
    _warn(source, split, listed.counts)
    alphabet = language_of(recipe.hmm.lexicon).alphabet
    reading = checked(listed, split, recipe.corpus, alphabet=alphabet, pipes=pipes)
    _warn(source, split, {what: count for what, count in reading.counts.items() if what not in listed.counts})
    named = (replace(utterance, tags={"set": split, **utterance.tags}) for utterance in reading.utterances)
    return replace(reading, utterances=tuple(named))


def _warn(source: str, split: str, counts: Mapping[str, int]) -> None:
    for what, count in counts.items():
        print(f"warning: corpus.{split}={source}: {count:,} {what}", file=sys.stderr)


def is_there(source: str) -> bool:
    """Whether the path of a READER:PATH source exists."""
    return os.path.exists(os.path.expanduser(source.partition(":")[2]))


def fingerprint(source: str) -> str:
    """Of the files that list a READER:PATH source; changed audio that is listed alike is not seen."""
    reader, _, path = source.partition(":")
    folder = os.path.expanduser(path)
    names = audio_below(folder) if reader == "librispeech" else []  # which lists audio by being there
    files = LISTINGS[reader](folder)
    return digest([*names, *(f"{file.relative_to(folder)} {checksum(file.read_bytes())}" for file in files)])
