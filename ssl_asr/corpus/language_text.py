"""The text of the language model: `corpus/lm_text.txt`, made of the sentences that each split's source holds.

The sentences of a split are kept in `corpus/sentences/`. So a split that is listed again changes this text, and no
other source is read. No sentence of dev or test is in it, wherever it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable

from ssl_asr.corpus.sources import OPEN_SPEECH, CorpusReading
from ssl_asr.lang.text import normalise, unknown_characters
from ssl_asr.recipe import Corpus, Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import lm_text_uri, sentences_uri

TRAINING, HELD_OUT = ("labeled", "unlabeled"), ("dev", "test")


def write_sentences(run: str, sources: CorpusReading) -> None:
    """Keep the sentences of every split that was read."""
    for split, reading in sources.splits.items():
        _write(sentences_uri(run, split), (utterance.text or "" for utterance in reading.utterances))
    if sources.open_text is not None:
        _write(sentences_uri(run, OPEN_SPEECH), sources.open_text)


def language_text(recipe: Recipe) -> bytes:
    """One sentence a line, sorted; ValueError where there is none."""
    corpus, run = recipe.corpus, recipe.run
    written = _given(corpus) if corpus.lm_text is not None else _of_training(corpus, run)
    held_out = {line for split in HELD_OUT for line in _read(sentences_uri(run, split))}
    sentences = sorted(line for line in written if line and line not in held_out)
    if not sentences:
        raise ValueError("there is no text for the language model; give one sentence a line with corpus.lm_text=FILE")
    return ("\n".join(sentences) + "\n").encode()


def is_written(recipe: Recipe, text: bytes) -> bool:
    uri = lm_text_uri(recipe.run)
    return filesystem.exists(uri) and filesystem.read_bytes(uri) == text


def ensure_text(recipe: Recipe) -> None:
    """Write the text, unless it is there already."""
    filesystem.write_if_changed(lm_text_uri(recipe.run), language_text(recipe))


def _given(corpus: Corpus) -> list[str]:
    assert corpus.lm_text is not None
    text = filesystem.read_bytes(corpus.lm_text).decode("utf-8")
    return [normalise(line) for line in text.splitlines() if not unknown_characters(line)]


def _of_training(corpus: Corpus, run: str) -> list[str]:
    own = [split for split in TRAINING if getattr(corpus, split) != OPEN_SPEECH]
    names = [*own, *([OPEN_SPEECH] if len(own) < len(TRAINING) else [])]
    return [line for name in names for line in _read(sentences_uri(run, name))]


def _write(uri: str, lines: Iterable[str]) -> None:
    filesystem.write_if_changed(uri, "".join(f"{line}\n" for line in lines if line).encode())


def _read(uri: str) -> list[str]:
    return filesystem.read_bytes(uri).decode().splitlines()
