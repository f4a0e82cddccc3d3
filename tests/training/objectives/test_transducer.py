"""The objective of transducers: nats a label of whole utterances, the same whatever they are batched with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.lang.word_pieces import train_word_pieces
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Gating, LstmNetwork, TransducerSection, TransformerNetwork
from ssl_asr.recipe.predictor import LstmPredictor
from ssl_asr.training.data.batches import collate, cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.objectives.objective import score
from ssl_asr.training.objectives.transducer import TransducerObjective
from ssl_asr.transducer.loss import transducer_loss
from ssl_asr.transducer.model import TransducerModel, TransducerSpec

TEXTS = ("a cat sat", "two cats", "a cat sat to two cats")
AHEAD = 2


def example(text: str, frames: int, weight: float = 1.0) -> Example:
    random = np.random.default_rng(frames)
    heard = random.normal(size=(frames, 6)).astype(np.float16)
    return Example(heard, FrameTargets(np.empty((frames, 0), np.uint16)), text, text=text, weight=weight)


@pytest.fixture
def objective(tmp_path: Path) -> TransducerObjective:
    (tmp_path / "pieces.model").write_bytes(train_word_pieces(TEXTS, 12).model)
    return TransducerObjective(TransducerSection(word_pieces=str(tmp_path / "pieces.model")))


@pytest.fixture
def model() -> TransducerModel:
    torch.manual_seed(0)
    network = LstmNetwork(layers=1, units=5, look_ahead=AHEAD, dropout=0.0)
    return TransducerModel(TransducerSpec(network, LstmPredictor(units=4, embedding=3), 7, 6, 12)).eval()


def test_it_is_the_loss_of_whole_utterances_for_each_label_and_the_end(
    objective: TransducerObjective, model: TransducerModel
) -> None:
    examples = [example(text, frames) for text, frames in zip(TEXTS, (9, 14, 11), strict=True)]
    pieces = cut(examples, None)
    batch = collate(pieces, AHEAD)
    scored = objective.loss(model, batch)
    labels = [objective._labels(piece) for piece in pieces]
    assert scored.weight == objective.weight(pieces) == sum(len(each) + 1 for each in labels)
    total = 0.0
    for each, said in zip(examples, labels, strict=True):
        frames = torch.from_numpy(each.frames.astype(np.float32))[None]
        encoded = model.encode_whole(frames, torch.tensor([len(each.frames)]))
        logits = model.joiner(encoded, model.predictor(torch.tensor([said])))
        lengths, counts = torch.tensor([len(each.frames)]), torch.tensor([len(said)])
        total += transducer_loss(logits, torch.tensor([said]), lengths, counts).item()
    assert float(scored.loss) == pytest.approx(total / scored.weight, rel=1e-5)


def test_an_utterance_counts_by_its_weight(objective: TransducerObjective, model: TransducerModel) -> None:
    both = cut([example(TEXTS[0], 9), example(TEXTS[1], 14, weight=0.25)], None)
    alone = [objective.loss(model, collate([piece], AHEAD)) for piece in cut([each.example for each in both], None)]
    together = objective.loss(model, collate(both, AHEAD))
    wanted = sum(float(each.loss) * each.weight for each in alone)
    assert float(together.loss) * together.weight == pytest.approx(wanted, rel=1e-5)
    assert alone[1].weight == 0.25 * (len(objective._labels(both[1])) + 1)


def test_what_the_encoder_adds_is_in_nats_a_frame(objective: TransducerObjective) -> None:
    """So the weight of computing is that of the paper's sum over an utterance, whatever its number of labels."""
    torch.manual_seed(0)
    gating = Gating(arbitrator="ff", units=4, layers=1, begin=0.0, beta=(0.5, 0.5))
    network = TransformerNetwork(layers=2, heads=2, width=8, feed_forward=8, look_ahead=AHEAD, gating=gating)
    gated = TransducerModel(TransducerSpec(network, LstmPredictor(units=4, embedding=3), 7, 6, 12)).train()
    assert isinstance(gated.encoder, Transformer)
    gated.encoder.set_progress(0.5)
    pieces = cut([example(TEXTS[0], 9), example(TEXTS[1], 14, weight=0.25)], None)
    scored, own = score(objective, gated, collate(pieces, AHEAD))
    assert own is not None
    share = float(scored.figures["compute_share"]) / scored.weight
    assert 0 < share < 1
    assert float(own) * scored.weight == pytest.approx(0.5 * share * (9 + 0.25 * 14), rel=1e-5)
    own.backward()
    assert all(each.grad is not None for each in gated.encoder.arbitrators.parameters())
