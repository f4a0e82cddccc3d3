"""The word n-gram of the decoder: Kneser-Ney estimation from text, and its acceptor G."""

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
from kaldingram.train import NgramCounts

EPSILON, BACK_OFF, BEGIN, END = "<eps>", "#0", "<s>", "</s>"


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
    """An ARPA back-off model of `order` from sentences of space-separated words; ValueError if there is none.

    Interpolation-free Kneser-Ney without cut-offs, as SRILM's `-ukndiscount -gt3min 0`.
    """
    counts = NgramCounts(order)
    arpa = io.StringIO()
    with _quiet():
        found = 0
        for sentence in sentences:
            if words := sentence.split():
                counts.add_raw_counts_from_line(" ".join(words))
                found += 1
        if not found:
            raise ValueError("the language model's text holds no sentence; check corpus/lm_text.txt of the run")
        counts.cal_discounting_constants()
        counts.cal_f()
        counts.cal_bow()
        counts.print_as_arpa(arpa)
    return arpa.getvalue()


def grammar_fst(arpa: str, vocabulary: Vocabulary) -> Any:
    """G, a kaldifst.StdVectorFst over word ids with `back_off_id` on back-off arcs, sorted by input.

    N-grams with a word outside the vocabulary are left out; their probability goes to no other word.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, symbols, target = Path(folder, "lm.arpa"), Path(folder, "words.txt"), Path(folder, "G.fst")
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
    words = sorted({word for sentence in sentences for word in sentence.split()} & set(pronunciations))
    if not words:
        raise ValueError("no word of corpus/lm_text.txt is in hmm/lexicon.txt; run the hmm stage again")
    return Vocabulary(tuple(words))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides standard error: kaldingram prints progress bars there, kaldilm prints lines from C++."""
    with contextlib.redirect_stderr(io.StringIO()), open(os.devnull, "w") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
