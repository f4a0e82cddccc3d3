"""From the recipe's four sources to four lists of clean utterances."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.open_speech.speech import OpenSpeech, open_speech
from ssl_asr.corpus.open_speech.splits import Splits, cut_open_speech
from ssl_asr.corpus.readers.kaldi import read_kaldi
from ssl_asr.corpus.readers.lhotse import read_lhotse
from ssl_asr.corpus.readers.librispeech import read_librispeech
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.lang.text import normalise, unknown_characters
from ssl_asr.recipe import Corpus, Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.utterance import SPLITS

OPEN_SPEECH = "open-speech"
READERS: dict[str, Callable[[str, int], Reading]] = {
    "kaldi": read_kaldi,
    "librispeech": read_librispeech,
    "nemo": read_nemo,
    "lhotse": read_lhotse,
}


@dataclass(frozen=True)
class CorpusReading:
    """Clean utterances and rejects by split, sentences for the language model, and what was used, in one line."""

    splits: dict[str, Reading]
    written: tuple[str, ...]
    speech: OpenSpeech | None
    line: str


def check_sources(corpus: Corpus) -> None:
    """ValueError naming the recipe's key where a source is neither open-speech nor READER:PATH that exists."""
    for split in SPLITS:
        source = getattr(corpus, split)
        reader, colon, path = source.partition(":")
        if source == OPEN_SPEECH:
            continue
        if not colon or reader not in READERS:
            near = difflib.get_close_matches(reader, [OPEN_SPEECH, *READERS], 1, cutoff=0.4)
            fix = f"did you mean '{near[0]}{'' if near[0] == OPEN_SPEECH else ':PATH'}'?" if near else ""
            raise ValueError(
                f"corpus.{split}={source} is no source; "
                + (fix or f"use {OPEN_SPEECH} or one of {', '.join(READERS)}, a colon and a path")
            )
        if not os.path.exists(os.path.expanduser(path)):
            raise ValueError(f"corpus.{split}={source}: there is no {path}; fix the path")


def read_sources(recipe: Recipe, banks: bool) -> CorpusReading:
    """Read every split from its source; open speech is fetched if a split or the noise banks need it."""
    named = {split: getattr(recipe.corpus, split) for split in SPLITS}
    uses_speech = OPEN_SPEECH in named.values()
    speech = open_speech(recipe.corpus.cache) if banks or uses_speech else None
    cut = cut_open_speech(speech, recipe.corpus, recipe.seed) if speech and uses_speech else None
    splits = {
        split: Reading(getattr(cut, split)) if source == OPEN_SPEECH else _read(source, split, recipe.corpus)
        for split, source in named.items()
    }
    lines = [speech.source] if speech and uses_speech else []
    lines += [f"{split} from {source}" for split, source in named.items() if source != OPEN_SPEECH]
    return CorpusReading(splits, _written(recipe.corpus, splits, cut), speech, "; ".join(lines))


def _read(source: str, split: str, corpus: Corpus) -> Reading:
    """What can be used of a split outside open speech; where its source names no test set, the split is the set."""
    reader, _, path = source.partition(":")
    reading = checked(READERS[reader](os.path.expanduser(path), corpus.channel), split, corpus)
    named = (replace(utterance, tags={"set": split, **utterance.tags}) for utterance in reading.utterances)
    return Reading(tuple(named), reading.rejects)


def _written(corpus: Corpus, splits: Mapping[str, Reading], cut: Splits | None) -> tuple[str, ...]:
    """Sentences for the language model, sorted; those of dev and test are left out wherever they come from."""
    written: list[str] = []
    if corpus.lm_text is not None:
        text = filesystem.read_bytes(corpus.lm_text).decode("utf-8")
        written = [normalise(line) for line in text.splitlines() if not unknown_characters(line)]
    else:
        training = [split for split in ("labeled", "unlabeled") if getattr(corpus, split) != OPEN_SPEECH]
        if cut and len(training) < 2:
            written += cut.written
        written += [utterance.text or "" for split in training for utterance in splits[split].utterances]
    kept_out = {utterance.text for split in ("dev", "test") for utterance in splits[split].utterances}
    sentences = tuple(sorted(line for line in written if line and line not in kept_out))
    if not sentences:
        raise ValueError("there is no text for the language model; give one sentence a line with corpus.lm_text=FILE")
    return sentences
