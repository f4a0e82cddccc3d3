"""Embeddings shard by shard: what is embedded, and what is made anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.recipe import load_recipe
from ssl_asr.speakers.embedders import FeatureEmbedder, ResemblyzerEmbedder, embed_splits
from ssl_asr.speakers.extractor import ExtractorSpec, SpeakerExtractor
from ssl_asr.speakers.resemblyzer import ResemblyzerNetwork
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speaker_embeddings import all_speaker_embeddings
from ssl_asr.store.utterance import Utterance
from tests.conftest import CACHE
from tests.pinned import PINNED
from tests.speakers.made_up import publish, said_by


def embedder(folder, id_: str = "one") -> FeatureEmbedder:
    torch.manual_seed(0)
    model = SpeakerExtractor(ExtractorSpec(192, layers=1, units=8, dimensions=4)).eval()
    return FeatureEmbedder(load_recipe("demo", [f"run={folder}", *PINNED]), model, id_)


def test_only_what_changed_is_made_anew(tmp_path):
    run = str(tmp_path)
    for number in range(3):
        publish(run, Shard("test", number), said_by(f"person {number}", 2, "test"))
    assert embed_splits(run, "own", embedder(run), ["test"]) == 3
    assert embed_splits(run, "own", embedder(run), ["test"]) == 0
    publish(run, Shard("test", 1), said_by("person 7", 2, "test"))
    assert embed_splits(run, "own", embedder(run), ["test"]) == 1
    ShardStore(run, features.STORE).keep_only("test", [Shard("test", 0), Shard("test", 1)])
    assert embed_splits(run, "own", embedder(run), ["test"]) == 0
    found = all_speaker_embeddings(run, "own", "test")
    assert found.speakers == ["person 0"] * 2 + ["person 7"] * 2
    assert embed_splits(run, "own", embedder(run, "two"), ["test"]) == 2


def test_degraded_copies_have_no_embedding(tmp_path):
    run, (clean, other) = str(tmp_path), said_by("person 1", 2, "test")
    publish(run, Shard("test", 0), [clean, replace(other, condition="room")])
    embed_splits(run, "own", embedder(run), ["test"])
    assert list(all_speaker_embeddings(run, "own", "test").ids) == [clean.id]


def test_a_split_without_features_is_told(tmp_path):
    with pytest.raises(ValueError, match="has no dev speech in its features"):
        embed_splits(str(tmp_path), "own", embedder(tmp_path), ["dev"])


def test_resemblyzer_hears_the_audio_of_what_has_features(tmp_path):
    torch.manual_seed(0)
    run, model = str(tmp_path), ResemblyzerNetwork().eval()
    spoken = [each for each in open_speech(CACHE).utterances if each.id in ("drascula-101", "drascula-102")]
    said = [Utterance(each.id, each.audio, "person 1", number, each.duration) for number, each in enumerate(spoken)]
    publish(run, Shard("test", 0), said[:1])
    manifest = utterance.encode([*said, replace(said[1], id="short", duration=0.2)])
    ShardStore(run, utterance.STORE).publish(
        Shard("test", 0), utterance.SCHEMA, [manifest], [75], seconds=1.0, parents={}, metadata={}
    )
    recipe = load_recipe("demo", [f"run={run}", *PINNED])
    embed_splits(run, "own", ResemblyzerEmbedder(recipe, model, "one"), ["test"])
    found = all_speaker_embeddings(run, "own", "test")
    assert list(found.ids) == [said[0].id]
    assert np.linalg.norm(found.vectors[0]) == pytest.approx(1)
