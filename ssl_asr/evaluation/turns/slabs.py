"""Recognises the simulated conversations of one slab. This is the unit of work; its result is stored.

A result is one JSON file, in the place of what other transducers recognise in a slab. A conversation is made of the
utterances of a whole shard, so the result depends on the shard's manifest too.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.decoding.slabs import Slab
from ssl_asr.evaluation.turns.emissions import Emission, RecognisedConversation
from ssl_asr.frontend.conversations import Conversation, ConversationMaker
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.stacking import stack
from ssl_asr.lang.pieces import Pieces
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.results_layout import transduced_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import load_transducer
from ssl_asr.transducer.recognise import recognise_channels


@dataclass(frozen=True)
class ConversationSystem:
    """The transducer `name` of the recipe; `key` is a hash of all that its words depend on but the speech."""

    recipe: Recipe
    name: str
    key: str


@dataclass(frozen=True)
class ConversationSlab:
    """`spent` is seconds of one core, for network and search."""

    parents: Mapping[str, str]
    spent: float
    conversations: tuple[RecognisedConversation, ...]

    @property
    def samples(self) -> int:
        """Of audio: a conversation lasts from the start of its first turn, sample 0, to the end of its last one."""
        return sum(max(turn.end for turn in each.turns) for each in self.conversations)


def recognise_conversations(system: ConversationSystem, slab: Slab) -> None:
    """Recognise the slab's conversations and keep what was emitted; ValueError as `ConversationMaker.of_slab`."""
    torch.set_num_threads(1)
    recipe = system.recipe
    model, pieces, maker = _load(system)
    made = maker.of_slab(slab.shard, slab.number, None)
    frames = [stack(each.frames) for each in made]
    found: list[list[Hypothesis]] = [[] for _ in made]
    began = time.process_time()
    for batch in batches_of_like_length([len(each) for each in frames], recipe.evaluate.batch_frames):
        inputs = [torch.from_numpy(frames[index]).float() for index in batch]
        spoken = recognise_channels(model, inputs, recipe.transducers[system.name].search)
        for index, channels in zip(batch, spoken, strict=True):
            found[index] = channels
    spent = round(time.process_time() - began, 3)
    conversations = tuple(recognised(*each, pieces) for each in zip(made, found, strict=True))
    result = ConversationSlab(_parents(system, slab), spent, conversations)
    filesystem.write_bytes(_uri(system, slab), json.dumps(asdict(result)).encode())


def read_conversations(system: ConversationSystem, slab: Slab) -> ConversationSlab | None:
    """What was recognised in the slab; None if there is nothing, or if it was made from other speech."""
    uri = _uri(system, slab)
    if not filesystem.exists(uri):
        return None
    values = json.loads(filesystem.read_bytes(uri))
    if values["parents"] != _parents(system, slab):
        return None
    return ConversationSlab(values["parents"], values["spent"], tuple(map(_read, values["conversations"])))


def _read(values: dict[str, Any]) -> RecognisedConversation:
    return RecognisedConversation(
        values["id"],
        tuple(Turn(**turn) for turn in values["turns"]),
        tuple(tuple(Emission(**each) for each in channel) for channel in values["channels"]),
        tuple(map(tuple, values["words"])),
    )


def recognised(made: Conversation, channels: Sequence[Hypothesis], pieces: Pieces) -> RecognisedConversation:
    """With the hypothesis of each channel."""
    emitted = tuple(tuple(_emissions(each, pieces)) for each in channels)
    words = tuple(tuple(pieces.decode(each.labels).split()) for each in channels)
    return RecognisedConversation(made.id, made.turns, emitted, words)


def _emissions(hypothesis: Hypothesis, pieces: Pieces) -> list[Emission]:
    """A label is known when its frame is heard whole."""
    return [
        Emission(pieces.pieces[label], round((frame + 1) * FRAME_SECONDS, 2))
        for label, frame in zip(hypothesis.labels, hypothesis.frames, strict=True)
    ]


def _parents(system: ConversationSystem, slab: Slab) -> dict[str, str]:
    listed = ShardStore(system.recipe.run, utterance.STORE).entry(slab.shard)
    assert listed is not None, "a shard with features is listed"
    return {"features": slab.parents["features"], "manifest": listed.checksum}


def _uri(system: ConversationSystem, slab: Slab) -> str:
    return transduced_uri(system.recipe.run, system.key, system.name, slab.shard.name, slab.number)


@functools.lru_cache(maxsize=2)
def _load(system: ConversationSystem) -> tuple[TransducerModel, Pieces, ConversationMaker]:
    recipe = system.recipe
    model, pieces, _ = load_transducer(model_uri(recipe.run, system.name))
    return model, pieces, ConversationMaker(recipe, recipe.evaluate.conversations, read_prior(recipe.run))
