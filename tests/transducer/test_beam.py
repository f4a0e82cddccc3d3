"""Beam search: all alignments of a text are counted, and a wide beam finds what trying every text finds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.recipe.predictor import PredictorSection, TransducerSearch
from ssl_asr.transducer.beam import BeamSearch, LabelScores
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import EncoderStream, TransducerModel
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.recognise import recognise
from tests.transducer.small import INPUTS, PREDICTORS, log_probabilities, log_probability, texts, transducer

FRAMES, OUTPUTS = 3, 3
EVERY_TEXT = 200  # a beam for all texts of at most two labels a frame: 127 of them


def encoded(model: TransducerModel, frames: int) -> torch.Tensor:
    torch.manual_seed(frames)
    return torch.randn(frames, model.encoder.width)


def searched(
    model: TransducerModel, encoded_te: torch.Tensor, settings: TransducerSearch, scores: LabelScores | None = None
) -> list[Hypothesis]:
    steps = ModelSteps(model)
    search = BeamSearch(steps, settings, scores)
    search.accept(steps.project(encoded_te))
    return search.hypotheses()


def bigrams(labels: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Made up; like an n-gram's they depend on the label before. One pair is forbidden."""
    rows = np.roll(np.linspace(-3, 0, (OUTPUTS + 1) * OUTPUTS, dtype=np.float32), 5).reshape(OUTPUTS + 1, OUTPUTS)
    rows[2, 1] = -math.inf
    return rows[[each[-1] if each else 0 for each in labels]]


def bonus(text: tuple[int, ...]) -> float:
    return sum(float(bigrams([text[:place]])[0, label]) for place, label in enumerate(text))


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("max_symbols", [1, 2])
@pytest.mark.parametrize("scores", [None, bigrams])
def test_a_wide_beam_equals_trying_every_text(
    predictor: PredictorSection, max_symbols: int, scores: LabelScores | None
) -> None:
    model = transducer(predictor, outputs=OUTPUTS)
    encoded_te = encoded(model, FRAMES)
    found = searched(model, encoded_te, TransducerSearch(beam=EVERY_TEXT, max_symbols=max_symbols), scores)
    wanted = {}
    for text in texts(OUTPUTS, max_symbols * FRAMES):
        alone = log_probability(model, encoded_te, text, max_symbols)
        if scores is None or bonus(text) > -math.inf:
            wanted[text] = (alone, alone + (0 if scores is None else bonus(text)))
    assert {each.labels for each in found} == wanted.keys()
    for each in found:
        assert (each.log_probability, each.score) == pytest.approx(wanted[each.labels], abs=1e-4)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_all_probability_is_found_and_it_is_minus_the_loss() -> None:
    """Where alignments have the frames for all their labels, none is left out."""
    model = transducer(outputs=OUTPUTS)
    with torch.no_grad():
        model.joiner.output.bias[0] += 8
    encoded_te = encoded(model, FRAMES)
    found = searched(model, encoded_te, TransducerSearch(beam=EVERY_TEXT, max_symbols=4))
    assert math.fsum(math.exp(each.log_probability) for each in found) == pytest.approx(1.0, abs=1e-3)
    for text in texts(OUTPUTS, 2):
        (mine,) = (each for each in found if each.labels == text)
        assert mine.log_probability == pytest.approx(log_probability(model, encoded_te, text), abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_frames_and_label_probabilities_are_those_of_the_best_alignment(seed: int) -> None:
    model = transducer(outputs=OUTPUTS, seed=seed)
    encoded_te = encoded(model, 4)
    for found in searched(model, encoded_te, TransducerSearch(beam=EVERY_TEXT, max_symbols=2))[:5]:
        logs_tuv = log_probabilities(model, encoded_te, found.labels)
        wanted = [float(logs_tuv[t, u, k]) for u, (t, k) in enumerate(zip(found.frames, found.labels, strict=True))]
        assert found.label_log_probabilities == pytest.approx(wanted, abs=1e-4)
        assert found.frames == best_frames(logs_tuv, found.labels, 2)


def best_frames(logs_tuv: torch.Tensor, labels: tuple[int, ...], max_symbols: int) -> tuple[int, ...]:
    """By trying all alignments."""
    logs = logs_tuv.tolist()
    candidates: list[tuple[float, tuple[int, ...]]] = []

    def go_on(frame: int, frames: tuple[int, ...], log: float) -> None:
        said = len(frames)
        if frame == len(logs):
            candidates.extend([(log, frames)] if said == len(labels) else [])
            return
        go_on(frame + 1, frames, log + logs[frame][said][0])
        if said < len(labels) and frames.count(frame) < max_symbols:
            go_on(frame, (*frames, frame), log + logs[frame][said][labels[said]])

    go_on(0, (), 0.0)
    return max(candidates)[1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=6), st.sampled_from(PREDICTORS), st.sampled_from([1, 4]), st.booleans())
def test_any_chunking_says_the_same(counts: list[int], predictor: PredictorSection, beam: int, fused: bool) -> None:
    model = transducer(predictor, outputs=OUTPUTS)
    frames, whole = torch.randn(25, INPUTS), TransducerSearch(beam=beam, max_symbols=2)
    scores = bigrams if fused else None
    steps = ModelSteps(model)
    stream, search, rest = EncoderStream(model), BeamSearch(steps, whole, scores), frames
    for count in [*counts, len(frames)]:
        search.accept(steps.project(stream.accept(rest[:count])))
        rest = rest[count:]
    search.accept(steps.project(stream.finish()))
    assert search.frames == len(frames)
    encoded_te = model.encode_whole(frames[None], torch.tensor([len(frames)]))[0]
    found, wanted = search.hypotheses(), searched(model, encoded_te, whole, scores)
    assert [(each.labels, each.frames) for each in found] == [(each.labels, each.frames) for each in wanted]
    assert [each.score for each in found] == pytest.approx([each.score for each in wanted], abs=1e-3)
    assert len(found) == beam
    assert search.hypotheses(1) == found[:1]


@pytest.mark.parametrize("seed", range(6))
def test_a_wider_beam_finds_texts_at_least_as_good_and_all_are_what_they_say(seed: int) -> None:
    model = transducer(silence=0.7, seed=seed)
    encoded_te, before = encoded(model, 20), -math.inf
    for beam in (2, 8, 32):
        found = searched(model, encoded_te, TransducerSearch(beam=beam, max_symbols=3))
        assert len({each.labels for each in found}) == len(found) == beam
        for each in found:
            assert each.log_probability <= log_probability(model, encoded_te, each.labels) + 1e-3
        assert found[0].score >= before - 1e-3
        before = found[0].score
    assert max(len(each.labels) for each in found) > 2


def test_before_the_first_frame_nothing_was_said() -> None:
    model = transducer()
    (nothing,) = searched(model, encoded(model, 5)[:0], TransducerSearch())
    assert nothing == Hypothesis((), (), (), 0.0, 0.0)


def test_a_batch_of_utterances_has_hypotheses_for_each() -> None:
    model = transducer()
    utterances = [torch.randn(length, INPUTS) for length in (6, 11)]
    together = recognise(model, utterances, TransducerSearch(beam=3))
    for frames, found in zip(utterances, together, strict=True):
        (alone,) = recognise(model, [frames], TransducerSearch(beam=3))
        assert [(each.labels, each.frames) for each in found] == [(each.labels, each.frames) for each in alone]
