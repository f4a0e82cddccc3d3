"""A picture of the gates of one utterance of recorded speech."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib import image

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Gating, NetworkSection, Recipe, TransformerNetwork
from ssl_asr.report.gate_plot import draw, gated
from ssl_asr.store import features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore


def a_model(network: NetworkSection, inputs: int) -> AcousticModel:
    torch.manual_seed(0)
    return AcousticModel(ModelSpec(network, inputs, 9)).eval()


def test_the_picture_shows_what_ran(feature_run: Recipe) -> None:
    store = ShardStore(feature_run.run, features.STORE)
    bins = feature_run.frontend.mel_bins
    row = features.decode(store.read_slab(Shard("dev", 0), 0), bins)[0]
    gating = Gating(arbitrator="random", keep_rate=0.3, feed_forward=True)
    model = a_model(TransformerNetwork(layers=4, heads=2, width=16, feed_forward=24, gating=gating), 3 * bins)
    shown = gated(model, row.id, row.frames)
    frames = len(row.frames) // 3
    assert {name: flags.shape for name, flags in shown.modules.items()} == {
        "feed-forward": (frames, 4, 1),
        "queries": (frames, 4, 2),
        "keys": (frames, 4, 2),
    }
    assert isinstance(model.encoder, Transformer)
    assert 0.2 < np.mean([flags.mean() for flags in shown.modules.values()]) < 0.4
    assert 0 < shown.share < 1
    pixels = image.imread(io.BytesIO(draw(shown)), format="png")
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 900
    blue = np.abs(pixels[..., :3] - np.array([0x17, 0x69, 0xAA]) / 255).sum(2) < 0.02
    assert 0.05 < blue.mean() < 0.4


def test_a_network_without_gates_is_refused() -> None:
    with pytest.raises(ValueError, match="kind 'transformer' without gating runs all of itself"):
        gated(a_model(TransformerNetwork(layers=1, heads=1, width=4), 6), "a", np.zeros((9, 2)))
