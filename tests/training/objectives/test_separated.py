"""The objective of a separator: the transducer losses of its channels added up, and the masking loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from ssl_asr.corpus.mixtures.targets import active_frames
from ssl_asr.corpus.mixtures.turns import Turn, by_channel
from ssl_asr.lang.word_pieces import train_word_pieces
from ssl_asr.models.separator import Separator
from ssl_asr.recipe import SeparatedTransducerSection, SeparatorNetwork
from ssl_asr.recipe.predictor import LstmPredictor
from ssl_asr.training.data.batches import Batch, collate, cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.objectives.encoder_ctc import encoder_ctc
from ssl_asr.training.objectives.separated import SeparatedTransducer
from ssl_asr.transducer.joiner import Joiner
from ssl_asr.transducer.loss import transducer_loss
from ssl_asr.transducer.predictor import build_predictor
from tests.training.objectives.test_turn_labels import TURNS

PIECES, WIDTH, INPUTS = 13, 5, 6
RATE = 4000  # a frame of 30 ms has 120 samples


class Model(nn.Module):
    """A transducer whose encoder is a separator."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = {"mixture_layers": 1, "separation_layers": 1, "recogniser_layers": 1}
        self.encode = Separator(SeparatorNetwork(units=7, width=WIDTH, dropout=0, **layers), INPUTS)
        self.dropout = nn.Identity()
        self.predictor = build_predictor(LstmPredictor(units=4, embedding=3), PIECES)
        self.joiner = Joiner(WIDTH, self.predictor.width, 7, PIECES)


def example(turns: tuple[Turn, ...], frames: int, weight: float = 1.0) -> Example:
    heard = np.random.default_rng(frames).normal(size=(frames, INPUTS)).astype(np.float16)
    labels = FrameTargets(np.empty((frames, 0), np.uint16))
    return Example(heard, labels, str(frames), turns=turns, weight=weight)


EXAMPLES = [example(TURNS, 17), example(TURNS[:1], 9, weight=0.5), example(TURNS[:2], 13)]


@pytest.fixture
def model() -> Model:
    return Model().eval()


def objective(folder: Path, **settings: object) -> SeparatedTransducer:
    uri = folder / "pieces.model"
    uri.write_bytes(train_word_pieces([turn.text for turn in TURNS], PIECES, ("<sot>", "<eot>")).model)
    return SeparatedTransducer(SeparatedTransducerSection(word_pieces=str(uri), sample_rate=RATE, **settings))


def batch_of(*examples: Example) -> Batch:
    return collate(cut(examples, None), 0)


def alone(model: Model, wanted: SeparatedTransducer, each: Example, bias: torch.Tensor | None = None) -> float:
    """The sum of the channels' losses, each by all logits."""
    (piece,) = cut([each], None)
    frames = torch.from_numpy(each.frames.astype(np.float32))[None]
    hidden_nbte, _ = model.encode(frames, torch.tensor([len(each.frames)]))
    total = 0.0
    for channel, said in enumerate(wanted._labels(piece)):
        labels = torch.tensor([said], dtype=torch.long)
        logits = model.joiner(hidden_nbte[channel], model.predictor(labels))
        lengths, counts = torch.tensor([len(each.frames)]), torch.tensor([len(said)])
        mine = None if bias is None else bias[channel : channel + 1, :, : len(said)]
        total += transducer_loss(logits, labels, lengths, counts, label_bias_btu=mine).item()
    return total


def test_it_adds_the_losses_of_the_channels_whatever_the_batch(tmp_path: Path, model: Model) -> None:
    wanted = objective(tmp_path)
    scored = wanted.loss(model, batch_of(*EXAMPLES))
    labels = [wanted._labels(piece) for piece in cut(EXAMPLES, None)]
    sizes = [sum(len(said) + 1 for said in each) for each in labels]
    assert scored.weight == sizes[0] + 0.5 * sizes[1] + sizes[2]
    total = sum(each.weight * alone(model, wanted, each) for each in EXAMPLES)
    assert float(scored.loss.detach()) == pytest.approx(total / scored.weight, rel=1e-5)


def test_the_masking_loss_is_added_where_nobody_speaks(tmp_path: Path, model: Model) -> None:
    plain, masked = objective(tmp_path), objective(tmp_path, masking=0.3)
    each = EXAMPLES[2]
    batch = batch_of(each, EXAMPLES[0])
    with torch.no_grad():
        difference = masked.loss(model, batch).loss - plain.loss(model, batch).loss
        sizes = 0.0
        for other in (each, EXAMPLES[0]):
            hidden_nbte, _ = model.encode(
                torch.from_numpy(other.frames).float()[None], torch.tensor([len(other.frames)])
            )
            active = active_frames(by_channel(other.turns), len(other.frames), frame_seconds=0.03, sample_rate=RATE)
            assert 0 < active.mean() < 1
            silent = [hidden_nbte[n, 0][torch.from_numpy(~active[n])] for n in range(2)]
            sizes += 0.3 * sum(float(values.square().sum().sqrt()) for values in silent)
    assert float(difference) * plain.loss(model, batch).weight == pytest.approx(sizes, rel=1e-3)


def test_ctc_of_the_encoder_is_added_at_its_weight(tmp_path: Path, model: Model) -> None:
    plain, with_ctc = objective(tmp_path), objective(tmp_path, ctc_weight=0.3)
    batch = batch_of(*EXAMPLES)
    total = 0.0
    for piece in batch.pieces:
        frames = torch.from_numpy(piece.example.frames).float()[None]
        hidden_nbte, _ = model.encode(frames, torch.tensor([piece.count]))
        for encoded_bte, said in zip(hidden_nbte, plain._labels(piece), strict=True):
            labels, count = torch.tensor([said], dtype=torch.long), torch.tensor([len(said)])
            alone = encoder_ctc(model.joiner, encoded_bte, labels, torch.tensor([piece.count]), count)
            total += 0.3 * piece.example.weight * float(alone.detach())
    assert total > 1
    scored = with_ctc.loss(model, batch)
    difference = float((scored.loss - plain.loss(model, batch).loss).detach()) * scored.weight
    assert difference == pytest.approx(total, rel=1e-4)


def test_late_ends_cost_the_penalty(tmp_path: Path, model: Model) -> None:
    wanted = objective(tmp_path, end_penalty=1.0, end_grace=1)
    pieces = cut([EXAMPLES[0]], None)
    longest = max(map(len, wanted._labels(pieces[0])))
    bias = wanted._penalties(pieces, (17, longest))
    assert bias is not None
    assert bool((bias < 0).any())
    scored = wanted.loss(model, batch_of(EXAMPLES[0]))
    assert float(scored.loss.detach()) * scored.weight == pytest.approx(
        alone(model, wanted, EXAMPLES[0], bias), rel=1e-5
    )
    assert float(scored.loss.detach()) * scored.weight > alone(model, wanted, EXAMPLES[0])


def test_gradients_reach_all_parts(tmp_path: Path, model: Model) -> None:
    objective(tmp_path, masking=0.1, fast_emit=0.005).loss(model, batch_of(*EXAMPLES)).loss.backward()
    missing = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert not missing


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"end_penalty": 1, "marks": "change"}, "end_penalty is for <eot>, which marks=change has not"),
        ({"end_penalty": 1, "fast_emit": 0.005}, "end_penalty and fast_emit together are numerically unstable"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SeparatedTransducerSection.model_validate(settings)
