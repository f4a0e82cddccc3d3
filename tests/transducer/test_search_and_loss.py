"""The search and the loss of a separator are of one model: what the search says of its texts, the loss says too.

Training path and recognition path are taken as they are: the objective's batch, and the frames of each conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.recipe import SeparatedTransducerSection, SeparatorNetwork
from ssl_asr.recipe.predictor import LstmPredictor, TransducerSearch
from ssl_asr.training.data.batches import Piece, collate, cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.objectives.separated import SeparatedTransducer
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.recognise import recognise_channels
from tests.transducer.small import INPUTS, transducer

OUTPUTS, LENGTHS = 4, (5, 8, 6)
NETWORK = SeparatorNetwork(units=12, width=8, mixture_layers=1, separation_layers=1, recogniser_layers=1, dropout=0.5)
PREDICTOR = LstmPredictor(units=10, embedding=6, dropout=0.5)


class OfTexts(SeparatedTransducer):
    """The objective, whose conversations say these labels on their channels."""

    def __init__(self, texts: Sequence[Sequence[Hypothesis]]) -> None:
        super().__init__(SeparatedTransducerSection())
        self._texts = {str(row): tuple(each.labels for each in channels) for row, channels in enumerate(texts)}

    def _labels(self, piece: Piece) -> tuple[tuple[int, ...], ...]:
        return self._texts[piece.example.id]


def conversations() -> list[Example]:
    rng = np.random.default_rng(0)
    turn = Turn("u", "s", "a", 0, 400)
    return [
        Example(
            rng.normal(size=(frames, INPUTS)).astype(np.float16),
            FrameTargets(np.empty((frames, 0), np.uint16)),
            str(row),
            turns=(turn,),
        )
        for row, frames in enumerate(LENGTHS)
    ]


def searched(model: TransducerModel, search: TransducerSearch) -> list[list[Hypothesis]]:
    return recognise_channels(model, [torch.from_numpy(each.frames).float() for each in conversations()], search)


def log_probability(model: TransducerModel, found: Sequence[Sequence[Hypothesis]], row: int) -> float:
    """Of what was found on both channels of one conversation, by the training's loss of a batch of all of them."""
    examples = [replace(each, weight=float(place == row)) for place, each in enumerate(conversations())]
    scored = OfTexts(found).loss(model, collate(cut(examples, None), 0))
    return -float(scored.loss.detach()) * scored.weight


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_reports_minus_the_loss_and_other_searches_less(seed: int) -> None:
    model = transducer(PREDICTOR, NETWORK, outputs=OUTPUTS, silence=0.8, seed=seed)
    labels = 0
    for beam, tolerance in ((300, 0.02), (3, None), (1, None)):
        found = searched(model, TransducerSearch(beam=beam, max_symbols=4))
        for row, channels in enumerate(found):
            said = sum(each.log_probability for each in channels)
            loss = log_probability(model, found, row)
            assert said <= loss + 1e-3
            if tolerance is not None:
                assert said == pytest.approx(loss, abs=tolerance)
            labels += sum(len(each.labels) for each in channels)
    assert labels


def test_training_mode_alone_tells_them_apart() -> None:
    """Dropout is of training: a model that is searched in that mode, or trained without it, would differ here."""
    model = transducer(PREDICTOR, NETWORK, outputs=OUTPUTS, silence=0.8)
    found = searched(model, TransducerSearch(beam=300, max_symbols=4))
    evaluated = [log_probability(model, found, row) for row in range(len(LENGTHS))]
    assert evaluated == [log_probability(model, found, row) for row in range(len(LENGTHS))]
    model.train()
    assert log_probability(model, found, 0) != evaluated[0]
