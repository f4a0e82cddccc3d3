"""Slabs to simulated conversations of several talkers, other ones in each pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.frontend.conversations import Conversation, ConversationMaker
from ssl_asr.frontend.stacking import stack
from ssl_asr.store.features import FRAME_SECONDS
from ssl_asr.store.utterance import CONVERSATION
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.sources import SlabRef, SourceName


@dataclass(frozen=True)
class ConversationReader:
    """The pass that a slab is read in is part of its reference. So a resumed training reads what it had read.

    In the first `one_talker_passes`, each utterance is a conversation of one turn.
    """

    maker: ConversationMaker
    one_talker_passes: int = 0

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        """The conversations whose first turn is an utterance of the slab; there may be none.

        ValueError as `of_slab`.
        """
        single = ref.sweep is not None and ref.sweep < self.one_talker_passes
        found = (self._single if single else self.maker).of_slab(ref.shard, ref.slab, ref.sweep)
        examples = [self._example(each, offset) for each in found]
        return [each for each in examples if len(each.frames)]

    @cached_property
    def _single(self) -> ConversationMaker:
        return replace(self.maker, mixtures=self.maker.mixtures.model_copy(update={"turns": (1, 1)}))

    def _example(self, made: Conversation, offset: int) -> Example:
        frames = stack(made.frames, offset)
        skipped = round(offset * FRAME_SECONDS * self.maker.recipe.frontend.sample_rate)
        unlabeled = FrameTargets(np.empty((len(frames), 0), np.uint16))
        turns = tuple(_later(made.turns, skipped))
        return Example(frames, unlabeled, made.id, made.id, CONVERSATION, turns=turns)


def _later(turns: Sequence[Turn], skipped: int) -> Iterator[Turn]:
    """The turns of audio without its first `skipped` samples."""
    for turn in turns:
        yield replace(turn, start=turn.start - skipped, end=turn.end - skipped)
