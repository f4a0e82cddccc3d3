"""Which cohorts a training is told: those of its speakers, but for a share of the utterances of each pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.adaptation.told import TellingReader, telling
from ssl_asr.decoding.slabs import System
from ssl_asr.recipe import Batching
from ssl_asr.store.ledger import Shard
from ssl_asr.training.data.batches import batches_of, collate, cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.sources import SlabRef, SourceName

SIZE = 2000
NUMBERS = {"ada": 1, "bob": 2}


class Speech:
    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        targets = FrameTargets(np.zeros((3, 1), np.uint16))
        names = ["ada", "bob", "eve"]
        return [Example(np.zeros((3, 4), np.float16), targets, f"u{n}", names[n % 3]) for n in range(SIZE)]


def told(sweep: int | None, share: float = 0.1, seed: int = 1) -> list[int]:
    reader = TellingReader(Speech(), NUMBERS, share, seed)
    return [each.cohort for each in reader.read("labeled", SlabRef(Shard("labeled", 0), 0, 9, sweep), 0)]


def test_a_tenth_of_a_pass_is_unknown_and_another_tenth_of_the_next() -> None:
    first, second = told(0), told(1)
    whole = [NUMBERS.get(each.speaker, 0) for each in Speech().read("labeled", SlabRef(Shard("labeled", 0), 0, 9), 0)]
    assert first == told(0) != second
    for found in (first, second):
        assert all(one in (0, other) for one, other in zip(found, whole, strict=True))
        lost = sum(one != other for one, other in zip(found, whole, strict=True))
        assert 0.07 < lost / sum(map(bool, whole)) < 0.13
    assert told(0, seed=2) != first
    assert told(0, share=0) == whole
    assert told(None) == whole  # outside of any pass nothing is drawn


@settings(deadline=None, max_examples=12)
@given(st.permutations(["ada", "bob", "eve", "ada"]))
def test_a_batch_has_the_cohort_of_each_row(speakers: list[str]) -> None:
    reader = TellingReader(Speech(), NUMBERS, 0, 1)
    ref = SlabRef(Shard("labeled", 0), 0, 9, 0)
    examples = reader.read("labeled", ref, 0)[:3]
    by_speaker = {each.speaker: each for each in examples}
    pieces = cut([by_speaker[name] for name in speakers], None)
    batch = collate(pieces, 1)
    assert batch.cohorts is not None
    assert batch.cohorts.tolist() == [NUMBERS.get(name, 0) for name in speakers]
    unknown = collate(cut([by_speaker["eve"]], None), 1)
    assert unknown.cohorts is None
    chunks = batches_of(examples, False, Batching(chunk_frames=3), 1, np.random.default_rng(0))
    assert all(piece.example.cohort == NUMBERS.get(piece.example.speaker, 0) for each in chunks for piece in each)


def test_hypotheses_with_other_cohorts_are_kept_apart() -> None:
    system = System("run", "student", "key", "graph", "set", 64, 10.0, 100, 100)
    one, other = telling(system, {"ada": "north", "bob": "south"}), telling(system, {"ada": "north"})
    assert len({system.key, one.key, other.key}) == 3
    assert one == telling(system, {"bob": "south", "ada": "north"})
    assert replace(one, told=(), key=system.key) == system
