"""The text of the language model: `corpus/lm_text.txt`, the file of `corpus.lm_text` or the transcripts of training.

The sentences of a split are kept by bucket in `corpus/buckets/`. So a split that is listed again changes this text,
and no other source is read. Of transcripts, sentences that dev or test has too are left out, but their words stay: a
word that would be lost is a line of its own. What a person names is taken as it is.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from tempfile import TemporaryDirectory

from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.shuffle import buckets_store, sentence_files
from ssl_asr.corpus.sorted_lines import SortedLines
from ssl_asr.corpus.sources import OPEN_SPEECH
from ssl_asr.lang.language import language_of
from ssl_asr.lang.text import Alphabet, named
from ssl_asr.recipe import Corpus, Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import lm_text_inputs_uri, lm_text_uri, sentences_uri
from ssl_asr.store.errors import is_unreachable
from ssl_asr.store.large_files import file_checksum, write_lines_if_changed
from ssl_asr.store.ledger import checksum

TEXT_VERSION = "1"  # raise where equal sentences give another text
TRAINING, HELD_OUT = ("labeled", "unlabeled"), ("dev", "test")
_MARKS = re.compile(r"</?s>", re.IGNORECASE)  # of a sentence's begin and end


def write_open_text(run: str, sentences: Iterable[str]) -> None:
    """Keep the sentences of all open speech that may be trained on."""
    lines = "".join(f"{line}\n" for line in sentences if line)
    filesystem.write_if_changed(sentences_uri(run, OPEN_SPEECH), lines.encode())


def add_text(recipe: Recipe, text: SortedLines) -> list[str]:
    """Add all sentences to an empty `text`; returns notes for a person of what is not in it, or should not be.

    In memory are the sentences of dev and test, and those of one bucket. ValueError where there is no sentence, or
    the file of `corpus.lm_text` can't be read.
    """
    held_out = {split: {*sentences_of(recipe.run, split)} for split in HELD_OUT}
    if recipe.corpus.lm_text is not None:
        alphabet = language_of(recipe.hmm.lexicon).alphabet
        notes = _add_given(recipe.corpus.lm_text, held_out, alphabet, text)
    else:
        notes = _add_transcripts(_written(recipe.corpus, recipe.run), set().union(*held_out.values()), text)
    if not len(text):
        why = "; ".join(["there is no text for the language model", *notes])
        raise ValueError(f"{why}; give one sentence a line with corpus.lm_text=FILE")
    return notes


def is_written(recipe: Recipe) -> bool:
    """Whether the text is there, made from what there is today."""
    uri = lm_text_inputs_uri(recipe.run)
    if not (filesystem.exists(uri) and filesystem.exists(lm_text_uri(recipe.run))):
        return False
    return json.loads(filesystem.read_bytes(uri)) == _inputs(recipe)


def ensure_text(recipe: Recipe) -> None:
    """Write the text and tell its notes, unless it is there already."""
    if is_written(recipe):
        return
    inputs = _inputs(recipe)
    with TemporaryDirectory() as folder:
        text = SortedLines(folder)
        for note in add_text(recipe, text):
            print(f"warning: {note}", file=sys.stderr)
        filesystem.delete(lm_text_inputs_uri(recipe.run))
        write_lines_if_changed(lm_text_uri(recipe.run), text)
    filesystem.write_bytes(lm_text_inputs_uri(recipe.run), json.dumps(inputs, indent=1, sort_keys=True).encode())


def _inputs(recipe: Recipe) -> dict[str, str]:
    corpus, run = recipe.corpus, recipe.run
    named = [*HELD_OUT, *(() if corpus.lm_text is not None else training_sources(corpus))]
    inputs = {"version": TEXT_VERSION} | {name: _content(run, name) for name in named}
    if corpus.lm_text is None:
        return inputs
    language = language_of(recipe.hmm.lexicon).code
    return inputs | {"corpus.lm_text": _file_content(corpus.lm_text), "language": language}


def _add_given(uri: str, held_out: Mapping[str, set[str]], alphabet: Alphabet, text: SortedLines) -> list[str]:
    """Of a file. Notes: lines that are left out, and sentences of `held_out` splits that are in it."""
    left_out, first = 0, ""
    found: dict[str, set[str]] = {split: set() for split in held_out}
    for number, line in _lines(uri):
        written = _MARKS.sub("\n", line)
        if unknown := alphabet.unknown_characters(written):
            left_out += 1
            first = first or f"line {number}, which holds {named(unknown)} ({line.strip()[:50]!r})"
            continue
        for sentence in filter(None, map(alphabet.normalise, written.split("\n"))):
            text.add(sentence)
            for split, said in held_out.items():
                if sentence in said:
                    found[split].add(sentence)
    notes = [f"corpus.lm_text={uri}: {left_out:,} lines left out, the first of them {first}"] if left_out else []
    known = [
        f"{len(given):,} of {split}'s {len(held_out[split]):,} sentences" for split, given in found.items() if given
    ]
    if known:
        notes.append(
            f"corpus.lm_text={uri} holds {' and '.join(known)}. Unless the same sentences will be said later, take "
            "them out: word error rates are too low with them"
        )
    return notes


def _lines(uri: str) -> Iterator[tuple[int, str]]:
    try:
        yield from read_lines(uri)
    except OSError as error:
        if is_unreachable(error):
            raise
        raise ValueError(
            f"corpus.lm_text={uri} cannot be read ({error.strerror or error}); correct the path"
        ) from error


def _add_transcripts(written: Iterable[str], held_out: set[str], text: SortedLines) -> list[str]:
    """Those of the sentences `written` that are not `held_out`, the words that these lack, and notes."""
    tested = {*words_of(held_out)}
    left_out, kept_words = set[str](), set[str]()
    for line in written:
        if line in held_out:
            left_out.add(line)
        else:
            text.add(line)
            kept_words |= tested.intersection(line.split())
    lost = {*words_of(left_out)} - kept_words
    if not lost:
        return []
    sentences = len(left_out) + sum(1 for _ in itertools.groupby(text))
    for word in lost:
        text.add(word)
    return [
        f"{len(left_out):,} of the {sentences:,} sentences of the transcripts are dev's or test's too, and are left "
        f"out of the language model's text; {len(lost):,} of their words are in no other, and stay as single words. "
        "If the same sentences will be said later, give them with corpus.lm_text=FILE"
    ]


def words_of(sentences: Iterable[str]) -> Iterator[str]:
    return (word for sentence in sentences for word in sentence.split())


def _written(corpus: Corpus, run: str) -> Iterator[str]:
    return (line for name in training_sources(corpus) for line in sentences_of(run, name))


def training_sources(corpus: Corpus) -> list[str]:
    own = [split for split in TRAINING if getattr(corpus, split) != OPEN_SPEECH]
    return [*own, *([OPEN_SPEECH] if len(own) < len(TRAINING) else [])]


def sentences_of(run: str, name: str) -> Iterator[str]:
    """Of a split, or of open speech; one file is held at a time."""
    uris = [sentences_uri(run, name)] if name == OPEN_SPEECH else sentence_files(run, name)
    return (line for uri in uris for line in filesystem.read_bytes(uri).decode().split("\n") if line)


def _content(run: str, name: str) -> str:
    if name == OPEN_SPEECH:
        return checksum(filesystem.read_bytes(sentences_uri(run, name)))
    return digest(buckets_store(run).index(name).column("checksum").tolist())


def _file_content(uri: str) -> str:
    try:
        return file_checksum(uri)
    except ValueError as error:
        raise ValueError(f"corpus.lm_text={uri} cannot be read ({error.__cause__}); correct the path") from error
