"""An n-gram of word pieces: how probable each piece is after the pieces so far.

Estimated as the word n-gram of the decoding graph is (`kneser_ney.py`), from the same text, cut into pieces.
Probabilities follow the back-off of ARPA models: p(w | h) where the n-gram (h, w) is known, else b(h) p(w | h without
its first).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TextIO

import numpy as np
import numpy.typing as npt

from ssl_asr.lang.kneser_ney import write_arpa
from ssl_asr.lang.ngram_counts import BEGIN, END
from ssl_asr.lang.word_pieces import WordPieces

Float32 = npt.NDArray[np.float32]
History = tuple[int, ...]  # the last pieces, the newest last; `SENTENCE_BEGIN` is before the first one

SENTENCE_BEGIN, _SENTENCE_END = -1, -2
_MARKS = {BEGIN: SENTENCE_BEGIN, END: _SENTENCE_END}
_NEPERS = math.log(10)  # a unit of ARPA's logarithms in nats


class PieceNgram:
    """Of a model in ARPA form whose words are the numbers of pieces, as `write_piece_arpa` makes it.

    `size` is the number of pieces. A piece that the text never had is as probable as its rarest one.
    """

    def __init__(self, arpa: str, size: int) -> None:
        self.size, self.order = size, 0
        self._logs: dict[History, dict[int, float]] = {}
        self._back_offs: dict[History, float] = {}
        for ngram, log, back_off in _entries(arpa):
            self.order = max(self.order, len(ngram))
            self._back_offs[ngram] = back_off
            if ngram[-1] >= 0:
                self._logs.setdefault(ngram[:-1], {})[ngram[-1]] = log
        self.next_logs = lru_cache(maxsize=4096)(self._next_logs)

    def history(self, pieces: Sequence[int]) -> History:
        """What the next piece depends on, after these from the sentence's begin on."""
        return (SENTENCE_BEGIN, *pieces)[max(0, len(pieces) + 2 - self.order) :]

    def _next_logs(self, history: History) -> Float32:
        """Natural logarithms of the probabilities of all pieces [size] after `history`. Not to be changed."""
        known = self._logs.get(history, {})
        if not history:
            logs = np.full(self.size, min(known.values()), np.float32)
        else:
            logs = self.next_logs(history[1:]) + np.float32(self._back_offs.get(history, 0.0))
        logs[[*known]] = [*known.values()]
        logs.setflags(write=False)
        return logs


def write_piece_arpa(sentences: Iterable[str], pieces: WordPieces, order: int, file: TextIO) -> None:
    """An ARPA model of `order` of the numbers of pieces; ValueError if there is no sentence."""
    write_arpa((" ".join(map(str, pieces.encode(sentence))) for sentence in sentences), order, file)


def _entries(arpa: str) -> Iterator[tuple[History, float, float]]:
    """Each n-gram with its log probability and back-off weight, in nats."""
    order = 0
    for line in arpa.splitlines():
        if line.startswith("\\") and line.endswith("-grams:"):
            order = int(line[1:].partition("-")[0])
        elif order and line and not line.startswith("\\"):
            log, *rest = line.split()
            ngram = tuple(_MARKS.get(word) or int(word) for word in rest[:order])
            yield ngram, _NEPERS * float(log), _NEPERS * float(rest[order]) if rest[order:] else 0.0
