"""What the run's labeled speech was aligned with, ready for use without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ssl_asr.hmm.chunks import ChunkSource, load_chunk
from ssl_asr.hmm.flat_start import MapChunks
from ssl_asr.hmm.training import Trained, chunk_sources, hmm_inputs, read_trained
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, filesystem
from ssl_asr.store.hmm_layout import lexicon_uri
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore


def in_series(sources: Sequence[ChunkSource]) -> MapChunks:
    """A map over chunks in this process."""

    def map_chunks(function: Any, *arguments: Any) -> list[Any]:
        return [function(load_chunk(source), *arguments) for source in sources]

    return map_chunks


def sources_of(recipe: Recipe) -> list[ChunkSource]:
    labeled = ShardStore(recipe.run, features.STORE).entries("labeled")
    lexicon = checksum(filesystem.read_bytes(lexicon_uri(recipe.run)))
    return chunk_sources(recipe, labeled, lexicon)


@pytest.fixture(scope="session")
def trained(aligned_run: Recipe) -> Trained:
    """The model and table that the run's alignments were made with."""
    found = read_trained(aligned_run.run, hmm_inputs(aligned_run))
    assert found is not None
    return found
