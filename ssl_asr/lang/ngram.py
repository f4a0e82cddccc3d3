"""The word n-gram of the decoder: its vocabulary, its ARPA form, and its acceptor G."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldifst
import kaldilm

from ssl_asr.lang.kneser_ney import write_arpa
from ssl_asr.lang.ngram_counts import BEGIN, END

EPSILON, BACK_OFF = "<eps>", "#0"


@dataclass(frozen=True)
class Vocabulary:
    """The words that can be recognised, in order; the first has id 1, because 0 is "no word" in OpenFst."""

    words: tuple[str, ...]

    @property
    def ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, 1)}

    @property
    def back_off_id(self) -> int:
        """Label of G's back-off arcs, above those of the words."""
        return len(self.words) + 1

    def symbol_table(self) -> str:
        """OpenFst's text form, with the special symbols that kaldilm needs."""
        symbols = [EPSILON, *self.words, BACK_OFF, BEGIN, END]
        return "".join(f"{symbol} {number}\n" for number, symbol in enumerate(symbols))


def estimate_arpa(sentences: Iterable[str], order: int) -> str:
    """What `write_arpa` writes, as a text."""
    arpa = io.StringIO()
    write_arpa(sentences, order, arpa)
    return arpa.getvalue()


def grammar_fst(arpa: str | Path, vocabulary: Vocabulary) -> Any:
    """G, a kaldifst.StdVectorFst over word ids with `back_off_id` on back-off arcs, sorted by input.

    `arpa` is a model in ARPA form, as a text or as a local file. N-grams with a word outside the
    vocabulary are left out; their probability goes to no other word.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, symbols, target = Path(folder, "lm.arpa"), Path(folder, "words.txt"), Path(folder, "G.fst")
        if isinstance(arpa, Path):
            source = arpa
        else:
            source.write_text(arpa)
        symbols.write_text(vocabulary.symbol_table())
        with _quiet():
            kaldilm.arpa2fst(
                input_arpa=str(source),
                output_fst=str(target),
                disambig_symbol=BACK_OFF,
                read_symbol_table=str(symbols),
                max_arpa_warnings=0,
            )
        grammar = kaldifst.StdVectorFst.read(str(target))
    kaldifst.arcsort(grammar, "ilabel")
    return grammar


def vocabulary_of(sentences: Iterable[str], pronunciations: Mapping[str, object]) -> Vocabulary:
    """The distinct words of `sentences` that have a pronunciation, in alphabetical order; ValueError if none has."""
    words = sorted({word for sentence in sentences for word in sentence.split() if word in pronunciations})
    if not words:
        raise ValueError("no word of corpus/lm_text.txt is in hmm/lexicon.txt; run the hmm stage again")
    return Vocabulary(tuple(words))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides standard error, where kaldilm prints lines from C++."""
    with open(os.devnull, "w") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
