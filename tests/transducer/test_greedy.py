"""Greedy search: it does what a plain loop over frames does, in batches and in chunks too."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from ssl_asr.recipe.predictor import PredictorSection, TransducerSearch
from ssl_asr.transducer import greedy
from ssl_asr.transducer.greedy import GreedySearch
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import EncoderStream, TransducerModel
from ssl_asr.transducer.recognise import recognise
from tests.transducer.small import INPUTS, PREDICTORS, log_probabilities, transducer

LENGTHS = [23, 1, 40, 9]


def plain(model: TransducerModel, encoded_te: torch.Tensor, max_symbols: int) -> Hypothesis:
    """By a loop over frames, with the predictor's whole forward for every symbol."""
    labels: list[int] = []
    frames: list[int] = []
    logs: list[float] = []
    total = 0.0
    for frame in range(len(encoded_te)):
        for symbol in range(max_symbols + 1):
            logs_v = log_probabilities(model, encoded_te[frame : frame + 1], labels)[0, -1]
            label = int(logs_v.argmax()) if symbol < max_symbols else 0
            total += float(logs_v[label])
            if label == 0:
                break
            labels.append(label)
            frames.append(frame)
            logs.append(float(logs_v[label]))
    return Hypothesis(tuple(labels), tuple(frames), tuple(logs), total, total)


def assert_same(found: Hypothesis, wanted: Hypothesis) -> None:
    assert (found.labels, found.frames) == (wanted.labels, wanted.frames)
    assert found.label_log_probabilities == pytest.approx(wanted.label_log_probabilities, abs=1e-4)
    assert found.log_probability == pytest.approx(wanted.log_probability, rel=1e-4, abs=1e-4)
    assert found.score == pytest.approx(wanted.score, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize(("max_symbols", "window"), [(1, 4), (3, 4), (3, 1), (2, 16)])
@torch.no_grad()
def test_a_batch_says_what_a_plain_loop_says(
    predictor: PredictorSection, max_symbols: int, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greedy, "_WINDOW", window)
    model = transducer(predictor)
    utterances = [torch.randn(length, INPUTS) for length in LENGTHS]
    found = recognise(model, utterances, TransducerSearch(beam=1, max_symbols=max_symbols))
    for frames, (hypothesis,) in zip(utterances, found, strict=True):
        encoded = model.encode_whole(frames[None], torch.tensor([len(frames)]))[0]
        assert_same(hypothesis, plain(model, encoded, max_symbols))
    every = [each.frames for (each,) in found]
    assert max(frames.count(frame) for frames in every for frame in frames) == max_symbols
    silences = [after - before for frames in every for before, after in pairwise(frames)]
    assert max(silences) > 3


@pytest.mark.parametrize("seed", range(12))
@torch.no_grad()
def test_any_chunking_says_the_same(seed: int) -> None:
    """Each utterance is cut by itself, so chunks are ragged or empty."""
    chance = random.Random(seed)
    model = transducer(PREDICTORS[seed % 3], silence=chance.choice([0.3, 0.8]), seed=seed)
    utterances = [torch.randn(length, INPUTS) for length in LENGTHS]
    streams = [EncoderStream(model) for _ in utterances]
    search, rest = GreedySearch(model, len(utterances), 2), list(utterances)
    while any(map(len, rest)):
        counts = [chance.choice([0, 1, 2, 5, 11]) for _ in rest]
        accept(search, [stream.accept(each[:n]) for stream, each, n in zip(streams, rest, counts, strict=True)])
        rest = [each[n:] for each, n in zip(rest, counts, strict=True)]
    accept(search, [stream.finish() for stream in streams])
    assert search.frames_b.tolist() == LENGTHS
    whole = recognise(model, utterances, TransducerSearch(beam=1, max_symbols=2))
    for found, (wanted,) in zip(search.hypotheses(), whole, strict=True):
        assert_same(found, wanted)


def accept(search: GreedySearch, encoded: list[torch.Tensor]) -> None:
    search.accept(pad_sequence(encoded, batch_first=True), torch.tensor(list(map(len, encoded))))


def test_what_was_said_is_known_before_the_end() -> None:
    model = transducer()
    encoded = torch.randn(1, 30, model.encoder.width)
    search, before = GreedySearch(model, 1, 2), 0
    for frame in range(30):
        search.accept(encoded[:, frame : frame + 1], torch.tensor([1]))
        (found,) = search.hypotheses()
        assert all(each <= frame for each in found.frames)
        assert len(found.labels) in range(before, before + 3)
        before = len(found.labels)
    assert before > 3
