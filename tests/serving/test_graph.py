"""Graphs that would crash or hang a search are refused; they have the right checksum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.lang.fst_arrays import parse, serialise
from tests.serving.test_bundle import refusal, rewrite

Arrays = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def arcs_with(arrays: Arrays, field: str, value: float) -> Arrays:
    start, final, source, arcs = arrays
    arcs = arcs.copy()
    arcs[field][len(arcs) // 2] = value
    return start, final, source, arcs


def with_silent_cycle(arrays: Arrays) -> Arrays:
    start, final, source, arcs = arrays
    cycle = np.array([(0, 0, -1.0, 1), (0, 0, -1.0, 0)], arcs.dtype)
    return start, final, np.append(source, [0, 1]), np.append(arcs, cycle)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda arrays: (len(arrays[1]), *arrays[1:]), "its start or its final states are wrong"),
        (lambda arrays: (-1, *arrays[1:]), "its start or its final states are wrong"),
        (lambda arrays: (arrays[0], np.full_like(arrays[1], np.inf), *arrays[2:]), "final states are wrong"),
        (lambda arrays: (arrays[0], np.full_like(arrays[1], np.nan), *arrays[2:]), "final states are wrong"),
        (lambda arrays: (arrays[0], np.full_like(arrays[1], -np.inf), *arrays[2:]), "final states are wrong"),
        (lambda arrays: arcs_with(arrays, "nextstate", 10**9), "an arc has the nextstate 1000000000"),
        (lambda arrays: arcs_with(arrays, "nextstate", -1), "an arc has the nextstate"),
        (lambda arrays: arcs_with(arrays, "ilabel", 41), "an arc has the ilabel 41"),
        (lambda arrays: arcs_with(arrays, "ilabel", -1), "an arc has the ilabel"),
        (lambda arrays: arcs_with(arrays, "olabel", 10**6), "an arc has the olabel 1000000"),
        (lambda arrays: arcs_with(arrays, "weight", np.nan), "a weight is not finite"),
        (with_silent_cycle, "it has a cycle of arcs without senones"),
    ],
)
def test_a_graph_that_leads_outside_is_refused(toy_bundle: Path, damage: Callable[[Arrays], Arrays], said: str):
    data = serialise(*damage(parse((toy_bundle / "HCLG.fst").read_bytes())))
    rewrite(toy_bundle, "HCLG.fst", data)
    assert said in refusal(toy_bundle)


@pytest.mark.parametrize("place", [8, 60, 80, 100, 120, 200])
def test_a_graph_cut_short_or_with_other_counts_is_refused(toy_bundle: Path, place: int):
    data = (toy_bundle / "HCLG.fst").read_bytes()
    rewrite(toy_bundle, "HCLG.fst", data[:place])
    assert "is no decoding graph of this model" in refusal(toy_bundle)
    states = bytearray(data)
    states[len(data) - len(parse(data)[3]) * 16 - 12] ^= 1  # the number of arcs of the last state
    rewrite(toy_bundle, "HCLG.fst", bytes(states))
    assert "is no decoding graph of this model" in refusal(toy_bundle)
