"""The transducer's sections: a kind for each predictor, and its class behind it."""

import pytest
from pydantic import ValidationError

from ssl_asr.recipe import (
    Gating,
    NetworkSection,
    ProjectedLstmNetwork,
    SeparatorNetwork,
    Transducer,
    TransformerNetwork,
    may_begin_as,
)
from ssl_asr.recipe.predictor import PREDICTORS, LstmPredictor, StatelessPredictor
from ssl_asr.transducer.predictor import build_predictor


def test_a_predictor_is_chosen_by_its_kind() -> None:
    assert Transducer().predictor == LstmPredictor()
    chosen = Transducer.model_validate({"predictor": {"kind": "stateless", "units": 64}, "search": {"beam": 4}})
    assert chosen.predictor == StatelessPredictor(units=64)
    assert Transducer.model_validate(chosen.model_dump(mode="json")) == chosen
    assert chosen.search.beam == 4
    for kind, line in PREDICTORS.items():
        predictor = build_predictor(line.section.model_validate({"kind": kind, "units": 8}), 5)
        assert type(predictor) is line.load()


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"predictor": {"kind": "gru"}}, "kind"),
        ({"predictor": {"kind": "stateless", "units": 6}}, "units"),
        ({"predictor": {"kind": "stateless", "layers": 2}}, "layers"),
        ({"word_pieces": 2}, "word_pieces"),
        ({"search": {"max_symbols": 0}}, "max_symbols"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(section: dict[str, object], key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Transducer.model_validate(section)
    assert refused.value.errors()[0]["loc"][-1] == key


@pytest.mark.parametrize(
    ("network", "start", "may"),
    [
        (ProjectedLstmNetwork(dropout=0.3), ProjectedLstmNetwork(), True),
        (ProjectedLstmNetwork(layers=2), ProjectedLstmNetwork(), False),
        (TransformerNetwork(gating=Gating(), left_context=9, dropout=0.3), TransformerNetwork(), True),
        (TransformerNetwork(gating=Gating()), TransformerNetwork(gating=Gating(), left_context=9), True),
        (TransformerNetwork(gating=Gating()), TransformerNetwork(gating=Gating(units=9)), False),
        (TransformerNetwork(), TransformerNetwork(gating=Gating()), False),
        (TransformerNetwork(gating=Gating(), look_ahead=1), TransformerNetwork(), False),
        (TransformerNetwork(), ProjectedLstmNetwork(), False),
        (SeparatorNetwork(), SeparatorNetwork(channels=1, dropout=0.3), True),
        (SeparatorNetwork(channels=1), SeparatorNetwork(), False),
        (SeparatorNetwork(channels=3), SeparatorNetwork(), False),
    ],
)
def test_gates_the_past_and_channels_need_not_be_those_of_the_encoder_that_it_begins_with(
    network: NetworkSection, start: NetworkSection, may: bool
) -> None:
    assert may_begin_as(network, start) == may
