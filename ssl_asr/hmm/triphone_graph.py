"""The triphones that an utterance may pass through, given its text: one state each, as in the decoding graph.

Any scores of senones can be searched with it, at any frame rate: a network's, or those of an alignment that is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transitions import add_self_loops
from ssl_asr.hmm.viterbi import best_path
from ssl_asr.lang.fst_arrays import from_numpy, to_numpy
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.lexicon_fst import lexicon_fst

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TriphoneGraph:
    """`fst` has input label n + 1 where it passes through `codes[n]` (see `triphones.triphone_codes`)."""

    fst: Any
    codes: Codes

    def align(self, scores: npt.NDArray[np.floating], table: npt.NDArray[np.integer]) -> Codes | None:
        """Triphone of each frame [T] on the best path; None if no path fits T frames.

        `scores` [T, senones] are scaled log-likelihoods; `table` is the senone set's.
        """
        path = best_path(self.fst, np.ascontiguousarray(scores[:, table.reshape(-1)[self.codes]], np.float32))
        return None if path is None else self.codes[path]


def triphone_graph(words: Sequence[str], lexicon: Lexicon) -> TriphoneGraph:
    """The graph of `words` with all their pronunciations and optional silences; KeyError for an unknown word."""
    ids = {word: number for number, word in enumerate(sorted(set(words)), 1)}
    pronunciations, _ = lexicon_fst(lexicon.entries(ids), ids, lexicon.phones, disambiguate=False)
    kaldifst.arcsort(pronunciations, "olabel")
    phones = kaldifst.compose(pronunciations, kaldifst.make_linear_acceptor([ids[word] for word in words]))
    triphones, contexts = kaldifst.compose_context([], 3, 1, _vector(phones))
    codes = np.array([_code(context, len(lexicon.phones)) for context in contexts], np.int32)
    known = np.unique(codes[codes >= 0])
    start, final, source, arcs = to_numpy(triphones)
    arcs["ilabel"] = np.where(codes < 0, 0, np.searchsorted(known, codes) + 1)[arcs["ilabel"]]
    arcs["olabel"] = 0
    return TriphoneGraph(from_numpy(*add_self_loops(from_numpy(start, final, source, arcs))), known)


def _code(context: Sequence[int], num_phones: int) -> int:
    """Code of a triphone, given as phones + 1, with 0 beyond either end; -1 for what has no centre phone."""
    if len(context) < 3:
        return -1
    left, centre, right = (max(phone - 1, 0) for phone in context)
    return (left * num_phones + centre) * num_phones + right


def _vector(fst: Any) -> Any:
    return fst if isinstance(fst, kaldifst.StdVectorFst) else kaldifst.StdVectorFst(fst)
