"""Small random transducers, and what their probabilities say by plain recursion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import product

import torch

from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import LstmNetwork, NetworkSection
from ssl_asr.recipe.predictor import LstmPredictor, PredictorSection, StatelessPredictor
from ssl_asr.transducer.model import TransducerModel, TransducerSpec
from tests.models.transformer.small import open_half

INPUTS = 4
NETWORK = LstmNetwork(layers=2, units=12, look_ahead=2, dropout=0.2)
PREDICTORS = [
    LstmPredictor(layers=2, units=10, embedding=6, dropout=0.2),
    StatelessPredictor(units=8, context=1),
    StatelessPredictor(units=8, context=3, dropout=0.3),
]


def transducer(
    predictor: PredictorSection = PREDICTORS[0],
    network: NetworkSection = NETWORK,
    *,
    outputs: int = 7,
    silence: float = 0.6,
    seed: int = 0,
    encoder: float = 3.0,
) -> TransducerModel:
    """Frames and labels matter as they do in a trained model; after random labels, blank wins in so many frames.

    The encoder's parameters are `encoder` times as large as they begin.
    """
    torch.manual_seed(seed)
    model = TransducerModel(TransducerSpec(network, predictor, 9, INPUTS, outputs)).eval()
    model.set_statistics(torch.randn(INPUTS), torch.rand(INPUTS) + 0.5)
    if isinstance(model.encoder, Transformer):
        open_half(model.encoder)
    make_lively(model, torch.randn(100, INPUTS), silence, encoder)
    return model


@torch.no_grad()
def make_lively(model: TransducerModel, frames_td: torch.Tensor, silence: float, encoder: float = 3.0) -> None:
    """Frames and labels like these matter then; after random labels, blank wins in so many of these frames."""
    for part, factor in ((model.encoder, encoder), (model.joiner, 4.0), (model.predictor, 0.4)):
        for parameter in part.parameters():
            parameter.mul_(factor)
    balance(model, frames_td, silence)


@torch.no_grad()
def balance(model: TransducerModel, frames_td: torch.Tensor, silence: float) -> None:
    """All labels are about as probable as each other then; after random labels, blank wins in so many frames."""
    encoded_te = model.encode_whole(frames_td[None], torch.tensor([len(frames_td)])).flatten(0, -2)
    labels = torch.randint(1, model.spec.outputs, (20,)).tolist()
    logits_nv = log_probabilities(model, encoded_te, labels).flatten(0, 1)
    centre_v = logits_nv.mean(0)
    over_blank_n = (logits_nv - centre_v)[:, 1:].amax(1) - (logits_nv - centre_v)[:, 0]
    model.joiner.output.bias -= centre_v
    model.joiner.output.bias[0] += over_blank_n.quantile(silence)


@torch.no_grad()
def log_probabilities(model: TransducerModel, encoded_te: torch.Tensor, labels: Sequence[int]) -> torch.Tensor:
    """[T, U + 1, outputs] of the predictor's whole forward."""
    predicted_up = model.predictor(torch.tensor([labels], dtype=torch.long))[0]
    projected_uj = model.joiner.predictor_projection(predicted_up)
    return model.log_probabilities(model.project(encoded_te)[:, None], projected_uj)


def log_probability(
    model: TransducerModel, encoded_te: torch.Tensor, labels: Sequence[int], max_symbols: int = 99
) -> float:
    """Of all alignments with at most `max_symbols` labels in a frame; of all alignments, minus the loss."""
    logs_tuv = log_probabilities(model, encoded_te, labels).double().tolist()

    @cache
    def from_here(frame: int, said: int, symbols: int) -> float:
        if frame == len(encoded_te):
            return 1.0 if said == len(labels) else 0.0
        logs_v = logs_tuv[frame][said]
        found = math.exp(logs_v[0]) * from_here(frame + 1, said, 0)
        if said < len(labels) and symbols < max_symbols:
            found += math.exp(logs_v[labels[said]]) * from_here(frame, said + 1, symbols + 1)
        return found

    found = from_here(0, 0, 0)
    return math.log(found) if found else -math.inf


def texts(outputs: int, longest: int) -> list[tuple[int, ...]]:
    """All sequences of labels of up to this length."""
    return [text for length in range(longest + 1) for text in product(range(1, outputs), repeat=length)]
