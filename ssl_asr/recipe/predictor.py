"""The predictor of a transducer, and its search: what it has beside an encoder, which is a network as any other.

Defaults are the published RNN-T's (Radfar et al. 2022), its search apart.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_asr.recipe.choice import Listed, Table
from ssl_asr.recipe.section import NotNegative, Positive, Section


class PredictorSection(Section):
    """What every kind has: `units`, the width of its outputs."""

    kind: str
    units: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class LstmPredictor(PredictorSection):
    """It knows all labels so far; `embedding` is the width of a label."""

    kind: Literal["lstm"] = "lstm"
    layers: Positive = 1
    units: Positive = 640
    embedding: Positive = 256


class StatelessPredictor(PredictorSection):
    """It knows the last `context` labels (Ghodsi et al. 2020), as sherpa-onnx needs it."""

    kind: Literal["stateless"] = "stateless"
    context: Positive = 2
    units: Annotated[int, Field(gt=0, multiple_of=4)] = 512


def same_predictor(one: PredictorSection, other: PredictorSection) -> bool:
    """Whether one has the weights of the other: they are the same, dropout apart."""
    return one.model_copy(update={"dropout": other.dropout}) == other


PREDICTORS: Table = {
    "lstm": Listed(LstmPredictor, "ssl_asr.transducer.predictor:Lstm"),
    "stateless": Listed(StatelessPredictor, "ssl_asr.transducer.predictor:Stateless"),
}


class TransducerSearch(Section):
    """`beam` sequences of labels are kept, 1: the greedy search; `max_symbols` are the most in a 30 ms frame.

    The loss knows no such limit. A network that knows its texts well waits, and puts out many labels in one frame:
    a search with a low limit finds almost nothing then.
    With `lm_weight` above 0 the beam search adds so much of an n-gram's log-probabilities, and `label_bonus` nats for
    each label, without which it leaves words out. The n-gram is of word pieces and of `lm_order`, from the text of
    the run's decoding graph.
    """

    beam: Positive = 8
    max_symbols: Positive = 30
    lm_weight: NotNegative = 0.0
    lm_order: Annotated[int, Field(ge=2, le=6)] = 4
    label_bonus: NotNegative = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> TransducerSearch:
        if self.label_bonus and not self.lm_weight:
            raise ValueError(f"label_bonus={self.label_bonus:g} is for a language model; set lm_weight too")
        return self
