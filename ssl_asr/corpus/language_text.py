"""The text of the language model: `corpus/lm_text.txt`, the file of `corpus.lm_text` or the transcripts of training.

The sentences of a split are kept in `corpus/sentences/`. So a split that is listed again changes this text, and no
other source is read. Of transcripts, sentences that dev or test has too are left out, but their words stay: a word
that would be lost is a line of its own. What a person names is taken as it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.sources import OPEN_SPEECH, CorpusReading
from ssl_asr.lang.language import language_of
from ssl_asr.lang.text import Alphabet, named
from ssl_asr.recipe import Corpus, Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import lm_text_uri, sentences_uri

TRAINING, HELD_OUT = ("labeled", "unlabeled"), ("dev", "test")
_MARKS = re.compile(r"</?s>", re.IGNORECASE)  # of a sentence's begin and end


@dataclass(frozen=True)
class LanguageText:
    """`data` has one sentence a line, sorted. `notes` tell a person what is not in it, or perhaps should not be."""

    data: bytes
    notes: tuple[str, ...]


def write_sentences(run: str, sources: CorpusReading) -> None:
    """Keep the sentences of every split that was read."""
    for split, reading in sources.splits.items():
        _write(sentences_uri(run, split), (utterance.text or "" for utterance in reading.utterances))
    if sources.open_text is not None:
        _write(sentences_uri(run, OPEN_SPEECH), sources.open_text)


def language_text(recipe: Recipe) -> LanguageText:
    """ValueError where there is no sentence, or the file of `corpus.lm_text` can't be read."""
    held_out = {split: {*_read(sentences_uri(recipe.run, split))} for split in HELD_OUT}
    if recipe.corpus.lm_text is not None:
        sentences, notes = _given(recipe.corpus.lm_text, held_out, language_of(recipe.hmm.lexicon).alphabet)
    else:
        sentences, notes = _of_transcripts(_written(recipe.corpus, recipe.run), set().union(*held_out.values()))
    if not sentences:
        why = "; ".join(["there is no text for the language model", *notes])
        raise ValueError(f"{why}; give one sentence a line with corpus.lm_text=FILE")
    return LanguageText(("\n".join(sorted(sentences)) + "\n").encode(), tuple(notes))


def is_written(recipe: Recipe, text: LanguageText) -> bool:
    uri = lm_text_uri(recipe.run)
    return filesystem.exists(uri) and filesystem.read_bytes(uri) == text.data


def ensure_text(recipe: Recipe) -> None:
    """Write the text, unless it is there already, and tell its notes."""
    text = language_text(recipe)
    for note in text.notes:
        print(f"warning: {note}", file=sys.stderr)
    filesystem.write_if_changed(lm_text_uri(recipe.run), text.data)


def _given(uri: str, held_out: Mapping[str, set[str]], alphabet: Alphabet) -> tuple[list[str], list[str]]:
    """Sentences of a file, and notes: lines that are left out, and sentences of `held_out` splits that are in it."""
    sentences, left_out, first = list[str](), 0, ""
    for number, line in _lines(uri):
        written = _MARKS.sub("\n", line)
        if unknown := alphabet.unknown_characters(written):
            left_out += 1
            first = first or f"line {number}, which holds {named(unknown)} ({line.strip()[:50]!r})"
        else:
            sentences += filter(None, map(alphabet.normalise, written.split("\n")))
    given = set(sentences)
    notes = [f"corpus.lm_text={uri}: {left_out:,} lines left out, the first of them {first}"] if left_out else []
    known = [
        f"{len(said & given):,} of {split}'s {len(said):,} sentences"
        for split, said in held_out.items()
        if said & given
    ]
    if known:
        notes.append(
            f"corpus.lm_text={uri} holds {' and '.join(known)}. Unless the same sentences will be said later, take "
            "them out: word error rates are too low with them"
        )
    return sentences, notes


def _lines(uri: str) -> Iterator[tuple[int, str]]:
    try:
        yield from read_lines(uri)
    except OSError as error:
        if filesystem.is_unreachable(error):
            raise
        raise ValueError(
            f"corpus.lm_text={uri} cannot be read ({error.strerror or error}); correct the path"
        ) from error


def _of_transcripts(written: list[str], held_out: set[str]) -> tuple[list[str], list[str]]:
    """Those of the sentences `written` that are not `held_out`, the words that these lack, and notes."""
    kept = [line for line in written if line not in held_out]
    lost = {*_words(written)} - {*_words(kept)}
    if not lost:
        return kept, []
    out = {*written} & held_out
    return [*kept, *lost], [
        f"{len(out):,} of the {len({*written}):,} sentences of the transcripts are dev's or test's too, and are left "
        f"out of the language model's text; {len(lost):,} of their words are in no other, and stay as single words. "
        "If the same sentences will be said later, give them with corpus.lm_text=FILE"
    ]


def _words(sentences: Iterable[str]) -> Iterator[str]:
    return (word for sentence in sentences for word in sentence.split())


def _written(corpus: Corpus, run: str) -> list[str]:
    own = [split for split in TRAINING if getattr(corpus, split) != OPEN_SPEECH]
    names = [*own, *([OPEN_SPEECH] if len(own) < len(TRAINING) else [])]
    return [line for name in names for line in _read(sentences_uri(run, name)) if line]


def _write(uri: str, lines: Iterable[str]) -> None:
    filesystem.write_if_changed(uri, "".join(f"{line}\n" for line in lines if line).encode())


def _read(uri: str) -> list[str]:
    return filesystem.read_bytes(uri).decode().splitlines()
