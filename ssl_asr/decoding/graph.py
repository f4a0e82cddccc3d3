"""The decoding graph: from senones to words, as one determinized and minimized transducer.

Lexicon and language model are composed and determinized, triphone contexts are expanded and replaced by their
senones, and the result is determinized again (Mohri, Pereira & Riley, "Speech recognition with weighted
finite-state transducers", 2008). Input label of senone s is s + 1, output labels are word ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transitions import Arrays, add_self_loops
from ssl_asr.lang.fst_arrays import from_numpy, to_numpy
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.lexicon_fst import lexicon_fst
from ssl_asr.lang.ngram import Vocabulary, grammar_fst

# Labels while contexts are replaced: centre phone * _PHONE + senone + 1. Without the phone, a senone shared by two
# phones makes homophones of words that have no disambiguation symbol ("FST was not functional").
_PHONE = 1 << 16
_MARK = 1 << 27  # disambiguation mark m is _MARK + m


def build_graph(vocabulary: Vocabulary, lexicon: Lexicon, arpa: str | Path, table: npt.NDArray[np.integer]) -> Arrays:
    """The graph over `vocabulary`, as `fst_arrays.serialise` takes it; `arpa` is as in `grammar_fst`.

    `table` [phones, phones, phones] maps (left, centre, right) to a senone; phone 0 is silence, which also
    stands for the context beyond either end. ValueError if the n-gram allows no sentence.
    """
    entries = list(dict.fromkeys(lexicon.entries(vocabulary.words)))
    words, marks = lexicon_fst(entries, vocabulary.ids, lexicon.phones, disambiguate=True)
    kaldifst.add_self_loops(words, [marks[0]], [vocabulary.back_off_id])
    kaldifst.arcsort(words, "olabel")
    graph = _vector(kaldifst.compose(words, grammar_fst(arpa, vocabulary)))
    if to_numpy(graph)[0] < 0:
        raise ValueError("the n-gram allows no sentence; it needs <s> and </s> among its words")
    kaldifst.determinize_star(graph, use_log=True)
    kaldifst.minimize_encoded(graph)

    graph, contexts = kaldifst.compose_context(marks, 3, 1, graph)
    labels = np.array([_label(context, table) for context in contexts], np.int32)
    graph = _relabel(graph, lambda old: labels[old])
    kaldifst.determinize_star(graph, use_log=True)
    graph = _relabel(graph, lambda old: np.where(old >= _MARK, 0, old % _PHONE))
    kaldifst.minimize_encoded(graph)
    return add_self_loops(graph)


def _label(context: Sequence[int], table: npt.NDArray[np.integer]) -> int:
    """Label of one input of the context transducer: [] or [0] none, [-m] mark m, else phones + 1 with 0 outside."""
    if len(context) < 3:
        return _MARK - context[0] if context and context[0] < 0 else 0
    left, centre, right = (max(phone - 1, 0) for phone in context)
    return centre * _PHONE + int(table[left, centre, right]) + 1


def _relabel(graph: Any, new: Callable[[npt.NDArray[np.int32]], npt.NDArray[np.integer]]) -> Any:
    start, final, source, arcs = to_numpy(graph)
    arcs["ilabel"] = new(arcs["ilabel"])
    return _vector(from_numpy(start, final, source, arcs))


def _vector(fst: Any) -> Any:
    return fst if isinstance(fst, kaldifst.StdVectorFst) else kaldifst.StdVectorFst(fst)
