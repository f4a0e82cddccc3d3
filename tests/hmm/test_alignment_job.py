"""One shard with everything that can go wrong in it, on real features."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.hmm.alignment_job import AlignmentJob
from ssl_asr.hmm.chunks import ChunkSource, manifest, readable_chunk
from ssl_asr.hmm.training import Trained
from ssl_asr.lang.lexicon import read_lexicon, write_lexicon
from ssl_asr.recipe import Recipe
from ssl_asr.store import alignments, features, utterance
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

SHARD = Shard("labeled", 0)


def row(spoken: Utterance, frames: np.ndarray) -> FeatureRow:
    return FeatureRow(spoken.id, spoken.speaker, spoken.condition, frames)


def publish(run: str, slabs: list[list[tuple[Utterance, np.ndarray]]]) -> None:
    counts = [sum(len(frames) for _, frames in slab) for slab in slabs]
    common = {"seconds": 1.0, "parents": {}, "metadata": {}}
    spoken = [utterance.encode([one for one, _ in slab]) for slab in slabs]
    ShardStore(run, utterance.STORE).publish(SHARD, utterance.SCHEMA, spoken, counts, **common)
    rows = [features.encode([row(*pair) for pair in slab]) for slab in slabs]
    ShardStore(run, features.STORE).publish(SHARD, features.SCHEMA, rows, counts, **common)


@pytest.fixture
def good(aligned_run: Recipe) -> tuple[Utterance, np.ndarray]:
    """A clean labeled utterance of the run and its features."""
    spoken = manifest(aligned_run.run, SHARD)
    table = ShardStore(aligned_run.run, features.STORE).read_slab(SHARD, 0)
    found = features.decode(table, aligned_run.frontend.mel_bins)[0]
    assert found.condition == utterance.CLEAN
    return spoken[found.id], found.frames


class Aligner:
    """Aligns slabs of (utterance, frames) as a shard of a run of its own."""

    def __init__(self, run: str, like: Recipe, trained: Trained) -> None:
        self.run = run
        self.again = partial(AlignmentJob(run, 64, trained), SHARD)
        self.store = ShardStore(run, alignments.store_name(trained.senone_set))
        write_lexicon(run, read_lexicon(like.run))

    def __call__(self, *slabs: list[tuple[Utterance, np.ndarray]]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Senones by id, and reasons of rejection by id."""
        publish(self.run, list(slabs))
        self.again()
        found = {name: row for slab in self.store.read_slabs(SHARD) for name, row in alignments.decode(slab).items()}
        entry = self.store.entry(SHARD)
        assert entry is not None
        assert list(found) == [spoken.id for slab in slabs for spoken, _ in slab]
        return found, {reject.id: reject.reason for reject in entry.rejects}


@pytest.fixture
def aligned(aligned_run: Recipe, trained: Trained, tmp_path: Path) -> Aligner:
    return Aligner(str(tmp_path), aligned_run, trained)


def test_a_damaged_shard_gives_no_chunk_and_is_named_when_aligned(aligned, good):
    spoken, frames = good
    aligned([(spoken, frames)])
    source = ChunkSource(aligned.run, SHARD, 0, 64, "whole", "any")
    assert [one.id for one in readable_chunk(source)] == [spoken.id]
    path = Path(ShardStore(aligned.run, features.STORE).uri(SHARD))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert readable_chunk(replace(source, features="damaged")) == []
    aligned.again()  # its alignments are there, so nothing is read
    Path(aligned.store.ledger_uri(SHARD)).unlink()
    with pytest.raises(ValueError, match=r"features/labeled/000000\.parquet is not a whole Parquet file"):
        aligned.again()


def test_a_speaker_with_one_utterance_is_aligned(aligned, good):
    spoken, frames = good
    found, rejects = aligned([(spoken, frames)])
    assert rejects == {}
    assert len(found[spoken.id]) == len(frames)
    assert (found[spoken.id] > 0).mean() > 0.5


def test_copies_get_the_alignment_of_their_recording_wherever_it_lies(aligned, good):
    spoken, frames = good
    copy = replace(spoken, id=f"{spoken.id}@room", condition="room", recording=spoken.id)
    noise = np.random.default_rng(0).normal(0, 3, frames.shape).astype(np.float16)
    found, rejects = aligned([(copy, noise)], [(spoken, frames)])
    assert rejects == {}
    np.testing.assert_array_equal(found[copy.id], found[spoken.id])


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_copy_at_another_speed_has_the_alignment_in_its_own_time(aligned, good, factor):
    spoken, frames = good
    condition = f"speed-{factor}+room"
    copy = replace(spoken, id=f"{spoken.id}@{condition}", condition=condition, recording=spoken.id)
    count = round(len(frames) / factor)
    noise = np.random.default_rng(0).normal(0, 3, (count, frames.shape[1])).astype(np.float16)
    found, rejects = aligned([(spoken, frames), (copy, noise)])
    assert rejects == {}
    starts = np.flatnonzero(np.diff(found[spoken.id])) + 1
    changes = np.flatnonzero(np.diff(found[copy.id])) + 1
    assert len(found[copy.id]) == count
    # A senone of two or more frames is never lost at these speeds; boundaries lie where they are heard, to a frame.
    for start in starts:
        assert np.abs(changes - start / factor).min() <= 1
    found, rejects = aligned([(spoken, frames), (replace(copy), noise[: count - 5])])
    assert len(found[copy.id]) == 0
    assert f"which it was made from, at {factor:g} of its speed, has {len(frames)}" in rejects[copy.id]


def test_a_copy_of_other_length_is_rejected(aligned, good):
    spoken, frames = good
    copy = replace(spoken, id=f"{spoken.id}@room", condition="room", recording=spoken.id)
    found, rejects = aligned([(spoken, frames), (copy, frames[:-2])])
    assert len(found[copy.id]) == 0
    assert f"but {spoken.id}, which it was made from, has {len(frames)}" in rejects[copy.id]


@pytest.mark.parametrize("condition", ["room", "speed-0.9"])
def test_a_copy_without_its_recording_is_aligned_by_itself(aligned, good, condition):
    spoken, frames = good
    copy = replace(spoken, id=f"{spoken.id}@{condition}", condition=condition, recording=spoken.id)
    found, rejects = aligned([(copy, frames)])
    assert rejects == {}
    assert len(found[copy.id]) == len(frames)


BAD = {
    "empty": ("", "its text is empty"),
    "outside": ("hello 世界", "no pronunciation for 世界"),
    "unknown": ("hello qqxzzkq", "no pronunciation for qqxzzkq"),
    "long": ("you " * 400, "frames of 10 ms are too few"),
}


def test_what_cannot_be_aligned_keeps_an_empty_row_and_gives_its_reason(aligned, good):
    spoken, frames = good
    bad = [(replace(spoken, id=name, recording=name, text=text), frames) for name, (text, _) in BAD.items()]
    found, rejects = aligned([*bad[:2], (spoken, frames)], bad[2:])
    assert set(rejects) == set(BAD)
    for name, (_, reason) in BAD.items():
        assert reason in rejects[name]
        assert len(found[name]) == 0
    assert len(found[spoken.id]) == len(frames)
