"""FLOPs of a transducer's encoder: of each utterance alone, its look-ahead included."""

from __future__ import annotations

import pytest
import torch

from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.models.transformer.flops import costs_of, most
from ssl_asr.recipe import Gating, LstmNetwork, NetworkSection, TransformerNetwork
from ssl_asr.recipe.predictor import LstmPredictor
from ssl_asr.transducer.compute import encoder_flops, kept_on
from ssl_asr.transducer.model import TransducerModel, TransducerSpec

AHEAD, INPUTS = 2, 6
SMALL = {"layers": 2, "heads": 2, "width": 8, "feed_forward": 12, "look_ahead": AHEAD}
UTTERANCES = [torch.randn(length, INPUTS) for length in (7, 0, 12)]


def model(network: NetworkSection) -> TransducerModel:
    torch.manual_seed(0)
    return TransducerModel(TransducerSpec(network, LstmPredictor(units=4, embedding=3), 7, INPUTS, 12)).eval()


def test_an_lstm_takes_the_same_for_every_frame() -> None:
    found = encoder_flops(model(LstmNetwork(layers=1, units=5, look_ahead=AHEAD)), UTTERANCES)
    each = 2 * 4 * (INPUTS + 5) * 5
    assert found.spent_b.tolist() == found.whole_b.tolist() == [each * (7 + AHEAD), each * (12 + AHEAD)]


def test_closed_gates_are_not_counted() -> None:
    gated = model(TransformerNetwork(gating=Gating(arbitrator="ff", units=4, layers=1), **SMALL))
    assert isinstance(gated.encoder, Transformer)
    lengths = torch.tensor([7 + AHEAD, 12 + AHEAD])
    without = costs_of(gated.encoder.section, INPUTS, arbitrators=False)
    found = encoder_flops(gated, UTTERANCES)
    assert torch.equal(found.whole_b, most(without, lengths))
    opened = found.spent_b
    for arbitrator in gated.encoder.arbitrators:
        torch.nn.init.constant_(arbitrator.decide.bias, -50.0)
    closed = encoder_flops(gated, UTTERANCES).spent_b
    fixed = costs_of(gated.encoder.section, INPUTS)
    assert closed.tolist() == [(fixed.fixed + fixed.layers * fixed.feed_forward) * int(each) for each in lengths]
    assert (closed < opened).all()


def test_what_is_kept_is_told_by_kind_of_module() -> None:
    gating = Gating(arbitrator="random", levels="single", keep_rates=(0.9, 0.6, 0.2), feed_forward=True)
    gated = model(TransformerNetwork(gating=gating, **SMALL))
    found = kept_on(gated, [*UTTERANCES, torch.randn(1500, INPUTS)])
    assert found.lengths == [7 + AHEAD, 12 + AHEAD, 1500 + AHEAD]
    assert found.rates == pytest.approx((0.9, 0.6, 0.2), abs=0.03)
    assert kept_on(gated, UTTERANCES).flops == float(encoder_flops(gated, UTTERANCES).spent_b.sum())
    keys = model(TransformerNetwork(gating=Gating(arbitrator="random", keep_rate=0.5, queries=False), **SMALL))
    assert kept_on(keys, UTTERANCES).rates[:2] == (1, 1)


def test_nothing_heard_takes_nothing() -> None:
    found = encoder_flops(model(TransformerNetwork(**SMALL)), [torch.zeros(0, INPUTS)])
    assert len(found.spent_b) == len(found.whole_b) == 0
