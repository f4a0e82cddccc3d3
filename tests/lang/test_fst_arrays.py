from __future__ import annotations

import kaldifst
import numpy as np
import pytest

from ssl_asr.lang.fst_arrays import from_numpy, serialise, to_numpy
from ssl_asr.lang.lexicon_fst import lexicon_fst
from ssl_asr.lang.phones import ENGLISH


@pytest.fixture
def fst():
    entries = [("cat", ("K", "AE", "T")), ("a", ("AH",)), ("at", ("AE", "T"))]
    return lexicon_fst(entries, {"a": 1, "at": 2, "cat": 3}, ENGLISH, disambiguate=True)[0]


def test_round_trip_gives_the_same_transducer(fst):
    assert str(kaldifst.StdVectorFst(from_numpy(*to_numpy(fst)))) == str(fst)


def test_arcs_may_come_in_any_order_of_states(fst):
    start, final, source, arcs = to_numpy(fst)
    order = np.argsort(-source, kind="stable")
    assert serialise(start, final, source[order], arcs[order]) == serialise(start, final, source, arcs)


def test_an_edit_of_the_arrays_is_an_edit_of_the_transducer(fst):
    start, final, source, arcs = to_numpy(fst)
    arcs["olabel"] = 0
    assert (to_numpy(from_numpy(start, final, source, arcs))[3]["olabel"] == 0).all()
    assert (to_numpy(fst)[3]["olabel"] > 0).any()


def test_symbol_tables_are_left_out_and_left_alone(fst):
    symbols = kaldifst.SymbolTable()
    symbols.add_symbol("<eps>", 0)
    fst.input_symbols = symbols
    assert to_numpy(fst)[0] == 0
    assert fst.input_symbols is not None


def test_an_empty_transducer_has_no_start():
    start, final, source, arcs = to_numpy(kaldifst.StdVectorFst())
    assert (start, len(final), len(source), len(arcs)) == (-1, 0, 0, 0)
