"""Fusion with an n-gram: a wide beam scores every text as adding up its labels one by one does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ssl_asr.lang.ngram import estimate_arpa
from ssl_asr.lang.piece_ngram import PieceNgram
from ssl_asr.recipe import TransducerSearch
from ssl_asr.transducer.beam import BeamSearch
from ssl_asr.transducer.fusion import NgramFusion
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.recognise import recognise
from tests.lang.test_piece_ngram import entries, naive
from tests.transducer.small import INPUTS, log_probability, texts, transducer

FRAMES, OUTPUTS, WEIGHT, BONUS = 3, 4, 0.4, 0.7
# Labels 1 to 3 as the words of a text; kaldingram wants n-grams that occur once, twice and three times.
SPOKEN = ["1 2 3", "1 2", "1 2 1", "3 3 1 2", "2 1", "3 1 2 2", "3", "1 3 2", "2 2 1 3", "3 2 1 1"]


@pytest.mark.parametrize("order", [2, 3])
def test_a_wide_beam_scores_every_text_as_brute_force_does(order: int) -> None:
    settings = TransducerSearch(beam=200, max_symbols=2, lm_weight=WEIGHT, lm_order=order, label_bonus=BONUS)
    arpa, model = estimate_arpa(SPOKEN, order), transducer(outputs=OUTPUTS)
    known, steps = entries(arpa), ModelSteps(model)
    torch.manual_seed(1)
    encoded_te = torch.randn(FRAMES, model.encoder.width)
    search = BeamSearch(steps, settings, NgramFusion(PieceNgram(arpa, OUTPUTS), settings))
    search.accept(steps.project(encoded_te))
    found = {each.labels: each for each in search.hypotheses()}
    wanted = {}
    for text in texts(OUTPUTS, 3):
        words = ("<s>", *map(str, text))
        logs = [naive(known, words[: place + 1][1 - order :], words[place + 1]) for place in range(len(text))]
        wanted[text] = log_probability(model, encoded_te, text, 2) + sum(WEIGHT * log + BONUS for log in logs)
    assert wanted.keys() <= found.keys()
    assert len(wanted) == 1 + 3 + 9 + 27
    for text, score in wanted.items():
        assert found[text].score == pytest.approx(score, abs=1e-3)
        assert found[text].log_probability == pytest.approx(log_probability(model, encoded_te, text, 2), abs=1e-3)


def test_a_weight_of_zero_changes_nothing_and_a_great_one_follows_the_ngram() -> None:
    model, ngram = transducer(outputs=OUTPUTS), PieceNgram(estimate_arpa(SPOKEN, 3), OUTPUTS)
    frames = torch.randn(12, INPUTS)
    plain = TransducerSearch(beam=4, max_symbols=1)
    ((without, *_),) = recognise(model, [frames], plain)
    ((zero, *_),) = recognise(model, [frames], plain, NgramFusion(ngram, plain))
    assert (zero.labels, zero.score) == (without.labels, pytest.approx(without.score, abs=1e-4))
    great = TransducerSearch(beam=4, max_symbols=1, lm_weight=50.0, label_bonus=50.0)
    ((led, *_),) = recognise(model, [frames], great, NgramFusion(ngram, great))
    per_label = [float(ngram.next_logs(ngram.history(led.labels[:n]))[each]) for n, each in enumerate(led.labels)]
    assert led.labels
    assert np.mean(per_label) > math.log(1 / 3)  # better than chance among three labels


def test_a_bonus_without_a_language_model_is_refused() -> None:
    with pytest.raises(ValueError, match="label_bonus=1 is for a language model; set lm_weight too"):
        TransducerSearch(label_bonus=1.0)
