"""Embeddings in a run: what is written is read back, and damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_asr.store.speaker_embeddings import (
    SpeakerEmbeddings,
    all_speaker_embeddings,
    embeddings_made_from,
    read_speaker_embeddings,
    write_speaker_embeddings,
)
from ssl_asr.store.speakers_layout import embeddings_uri


def some(count: int, width: int, first: int = 0) -> SpeakerEmbeddings:
    ids = [f"u{number}" for number in range(first, first + count)]
    return SpeakerEmbeddings(
        ids, ["ä"] * count, np.random.default_rng(first).normal(size=(count, width)).astype("f4")
    )


def test_is_read_back_shard_after_shard(tmp_path):
    run = str(tmp_path)
    for number, count in enumerate((3, 0, 2)):
        uri = embeddings_uri(run, "own", f"test/{number:06d}")
        write_speaker_embeddings(uri, some(count, 5, 10 * number), {"extractor": "abc"})
        assert embeddings_made_from(uri) == {"extractor": "abc"}
    found = all_speaker_embeddings(run, "own", "test")
    assert list(found.ids) == ["u0", "u1", "u2", "u20", "u21"]
    assert found.speakers == ["ä"] * 5
    assert np.array_equal(found.vectors, np.concatenate([some(3, 5).vectors, some(2, 5, 20).vectors]))
    assert all_speaker_embeddings(run, "own", "dev") is None
    assert all_speaker_embeddings(run, "other", "test") is None


def test_damage_is_told(tmp_path):
    uri = embeddings_uri(str(tmp_path), "own", "test/000000")
    assert embeddings_made_from(uri) is None
    write_speaker_embeddings(uri, some(3, 5), {})
    data = Path(uri).read_bytes()
    Path(uri).write_bytes(data[: len(data) // 2])
    assert embeddings_made_from(uri) is None
    with pytest.raises(ValueError, match=r"000000\.parquet is not a whole file of speaker embeddings"):
        read_speaker_embeddings(uri)


def test_two_extractors_are_not_mixed(tmp_path):
    for number, width in enumerate((4, 5)):
        write_speaker_embeddings(embeddings_uri(str(tmp_path), "own", f"test/{number:06d}"), some(2, width), {})
    with pytest.raises(ValueError, match="of several extractors"):
        all_speaker_embeddings(str(tmp_path), "own", "test")
