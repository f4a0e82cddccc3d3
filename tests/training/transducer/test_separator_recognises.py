"""A separator that has learned a few conversations of recorded speech by heart says their words, turn by turn.

A low loss does not show this: a network may know all texts without hearing anything, or put out more labels in a
frame than its search takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from ssl_asr.corpus.mixtures.turns import by_channel
from ssl_asr.lang.word_pieces import WordPieces, train_word_pieces
from ssl_asr.recipe import Mixtures, SeparatedTransducerSection, SeparatorNetwork, TransducerSearch
from ssl_asr.recipe.predictor import LstmPredictor
from ssl_asr.training.data.batches import collate, cut
from ssl_asr.training.data.conversations import ConversationReader
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import SlabRef
from ssl_asr.training.objectives.separated import SeparatedTransducer
from ssl_asr.transducer.channel_search import ChannelSearch
from ssl_asr.transducer.model import EncoderStream, TransducerModel, TransducerSpec
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.recognise import recognise_channels
from tests.conversations import SHARD, conversation_maker, real_speech

UNITS, UPDATES, CONVERSATIONS = 48, 400, 3
LEARNED = 0.15  # nats a label, CTC's among them
MIXTURES = Mixtures(turns=(2, 2), pause_seconds=(0.0, 0.1), room_share=0)


@dataclass(frozen=True, eq=False)
class Learned:
    """`said` has the texts of the turns of each conversation, by channel."""

    objective: SeparatedTransducer
    model: TransducerModel
    pieces: WordPieces
    examples: Sequence[Example]

    @property
    def said(self) -> list[list[list[str]]]:
        channels = [by_channel(each.turns) for each in self.examples]
        return [[[turn.text for turn in turns] for turns in each] for each in channels]

    @torch.no_grad()
    def loss(self, frames_of: Sequence[Example]) -> float:
        """In nats a label, where each conversation has the frames of another list."""
        heard = [
            replace(one, frames=other.frames, targets=other.targets)
            for one, other in zip(self.examples, frames_of, strict=True)
        ]
        return float(self.objective.loss(self.model, collate(cut(heard, None), 0)).loss)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("separator")
    recipe = real_speech(folder, seconds=(0.6, 1.3))
    reader = ConversationReader(conversation_maker(recipe, MIXTURES))
    read = [each for slab in (0, 1) for each in reader.read("labeled", SlabRef(SHARD, slab, 0, sweep=0), 0)]
    examples = sorted(read, key=lambda each: len(each.frames))[:CONVERSATIONS]
    pieces = train_word_pieces([turn.text for each in examples for turn in each.turns], 23, ("<sot>", "<eot>"))
    (folder / "pieces.model").write_bytes(pieces.model)
    section = SeparatedTransducerSection(
        word_pieces=str(folder / "pieces.model"), sample_rate=recipe.frontend.sample_rate, ctc_weight=0.5
    )
    found = Learned(SeparatedTransducer(section), _model(examples, len(pieces)), pieces, examples)
    _train(found)
    return found


def _model(examples: Sequence[Example], outputs: int) -> TransducerModel:
    torch.manual_seed(0)
    layers = {"mixture_layers": 1, "separation_layers": 1, "recogniser_layers": 1}
    network = SeparatorNetwork(units=UNITS, width=UNITS, dropout=0, **layers)
    predictor = LstmPredictor(units=UNITS, embedding=16, dropout=0)
    model = TransducerModel(TransducerSpec(network, predictor, UNITS, 192, outputs))
    frames = torch.from_numpy(np.concatenate([each.frames for each in examples])).float()
    model.set_statistics(frames.mean(0), frames.std(0) + 1e-3)
    return model


def _train(found: Learned) -> None:
    torch.set_num_threads(1)
    batch = collate(cut(found.examples, None), 0)
    optimiser = torch.optim.Adam(found.model.parameters(), 5e-3)
    for _ in range(UPDATES):
        optimiser.zero_grad()
        loss = found.objective.loss(found.model, batch).loss
        if loss.item() < LEARNED:
            break
        loss.backward()
        torch.nn.utils.clip_grad_norm_(found.model.parameters(), 5.0)
        optimiser.step()
    found.model.eval()


def test_its_search_finds_every_turn_on_its_channel(learned: Learned) -> None:
    """By the recipe's own search: the greedy one may leave a turn out whose begin is spread over several frames."""
    frames = [torch.from_numpy(each.frames).float() for each in learned.examples]
    found = recognise_channels(learned.model, frames, TransducerSearch())
    texts = [[learned.pieces.decode(best.labels) for best in channels] for channels in found]
    assert texts == [[" ".join(turns) for turns in channels] for channels in learned.said]


def test_it_hears_what_it_says(learned: Learned) -> None:
    """With the sound of another conversation the same texts are improbable."""
    assert learned.loss(learned.examples) < 0.3
    assert learned.loss([*learned.examples[1:], learned.examples[0]]) > 1


def test_a_stream_gives_its_turns(learned: Learned) -> None:
    steps = ModelSteps(learned.model)
    for example, said in zip(learned.examples, learned.said, strict=True):
        search = ChannelSearch(steps, TransducerSearch(), learned.pieces)
        stream = EncoderStream(learned.model)
        for chunk in torch.from_numpy(example.frames).float().split(7):
            search.accept(steps.project(stream.accept(chunk)))
        found = [(turn.channel, " ".join(word.word for word in turn.words)) for turn in search.turns()]
        assert sorted(found) == [(channel, text) for channel, turns in enumerate(said) for text in sorted(turns)]
