"""The sample of training speech from which EWC finds out which weights matter: it spreads over slabs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ssl_asr.adaptation.sample import sampled
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.sources import SlabRef, Source


class Slabs:
    """Every slab has so many utterances; ids name the slab."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, source: str, ref: SlabRef, offset: int) -> list[Example]:
        nothing = np.zeros((1, 2), np.float16), FrameTargets(np.zeros((1, 0), np.uint16))
        return [Example(*nothing, id=f"{ref.name}-{number}") for number in range(self.size)]


def slabs_of(slabs: int, each: int, size: int) -> list[str]:
    """The slabs of a sample of `size` utterances from so many slabs of `each`."""
    table = np.array([(number // 4, number % 4, 100) for number in range(slabs)], np.int32)
    found = [name for name, _ in sampled(Slabs(each), [Source("labeled", "labeled", table, 1)], size, seed=7)]
    assert len({*found}) == len(found)
    assert found == [name for name, _ in sampled(Slabs(each), [Source("labeled", "labeled", table, 1)], size, seed=7)]
    return [name.partition("-")[0] for name in found]


@pytest.mark.parametrize(("slabs", "size"), [(40, 20), (20, 20), (8, 20)])
def test_as_many_slabs_as_there_are_give_some(slabs: int, size: int) -> None:
    found = Counter(slabs_of(slabs, 50, size))
    assert (sum(found.values()), len(found)) == (size, min(slabs, size))
    assert max(found.values()) - min(found.values()) <= 1


def test_a_small_corpus_gives_all_it_has() -> None:
    assert len(slabs_of(3, 5, 256)) == 15


def test_within_a_slab_it_is_not_always_the_first() -> None:
    table = np.array([(0, number, 100) for number in range(20)], np.int32)
    found = sampled(Slabs(50), [Source("labeled", "labeled", table, 1)], 20, seed=7)
    assert len({name.partition("-")[2] for name, _ in found}) > 5
