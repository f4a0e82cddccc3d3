"""The language model's text for whoever recognises the unlabeled speech: without what that speech says."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from tempfile import TemporaryDirectory, mkdtemp

from ssl_asr.corpus.language_text import HELD_OUT, sentences_of, training_sources, words_of
from ssl_asr.corpus.sorted_lines import SortedLines
from ssl_asr.recipe import Recipe
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.large_files import file_checksum, lines_of
from ssl_asr.store.ledger import checksum_of


def sentences_without_unlabeled(recipe: Recipe) -> Iterator[str]:
    """The run's text as whoever recognises unlabeled speech may know it, sorted.

    The run's text, which systems are tested with, has the transcripts of the unlabeled speech in it where its source
    knows them, for it stands for a text of the domain. A model that is to recognise that very speech must not have
    seen them. So every sentence that an unlabeled utterance says is left out here, whoever else says it too, and with
    it all words that no other sentence has, but for those of the labeled transcripts. Where no text of the unlabeled
    speech is known, it is the run's text. ValueError where no sentence is left.

    In memory are the words of the labeled transcripts; sentences are sorted on the local disk.
    """
    if not _knows_unlabeled(recipe):
        yield from lines_of(lm_text_uri(recipe.run))
        return
    with TemporaryDirectory() as folder:
        written, said = _sorted(folder, _written_besides(recipe)), _sorted(folder, _unheard(recipe))
        wanted = {*words_of(sentences_of(recipe.run, "labeled"))}
        lost = {word for word in words_of(map(bytes.decode, written)) if word in wanted}
        left = 0
        for line in _without(written, said):
            left += 1
            lost.difference_update(line.decode().split())
        if not left and not lost:
            raise ValueError(
                "no sentence of the language model's text is left without those of the unlabeled speech; give other "
                "text with corpus.lm_text=FILE"
            )
        alone = sorted(word.encode() for word in lost)
        yield from map(bytes.decode, heapq.merge(_without(written, said), alone))


def checksum_without_unlabeled(recipe: Recipe) -> str:
    """Of `sentences_without_unlabeled`, as a file with a line feed after each; the run's text as it is."""
    if not _knows_unlabeled(recipe):
        return file_checksum(lm_text_uri(recipe.run))
    return checksum_of(f"{line}\n".encode() for line in sentences_without_unlabeled(recipe))


def _knows_unlabeled(recipe: Recipe) -> bool:
    return next(sentences_of(recipe.run, "unlabeled"), None) is not None


def _written_besides(recipe: Recipe) -> Iterator[str]:
    """What the text is made of, without the transcripts of the unlabeled speech where these are by themselves.

    Of transcripts not from the run's text: where dev or test says an unlabeled sentence too, that has its words by
    themselves.
    """
    if recipe.corpus.lm_text is not None:
        return lines_of(lm_text_uri(recipe.run))
    names = (name for name in training_sources(recipe.corpus) if name != "unlabeled")
    return (line for name in names for line in sentences_of(recipe.run, name))


def _unheard(recipe: Recipe) -> Iterator[str]:
    """Sentences that must not be in the text."""
    splits = ("unlabeled", *(HELD_OUT if recipe.corpus.lm_text is None else ()))
    return (line for split in splits for line in sentences_of(recipe.run, split))


def _sorted(folder: str, lines: Iterable[str]) -> SortedLines:
    found = SortedLines(mkdtemp(dir=folder))
    for line in lines:
        found.add(line)
    return found


def _without(lines: Iterable[bytes], left_out: Iterable[bytes]) -> Iterator[bytes]:
    """Those of the sorted `lines` that are not among `left_out`, which are sorted too."""
    others = iter(left_out)
    other = next(others, None)
    for line in lines:
        while other is not None and other < line:
            other = next(others, None)
        if line != other:
            yield line
