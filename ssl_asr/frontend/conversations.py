"""Conversations of a run's own speech as features, simulated when they are read, with their turns.

Sound adds up in samples, not in the logarithm of energies. So a conversation is made of audio, by
`corpus/mixtures`, and goes through the same front end as a recording of it would. It is no condition of the
manifest, where each row is one utterance with its labels, and nothing of it is stored: every pass hears other
conversations, and a store of each pass would be as large as that of all features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.mixtures.simulation import Mixture, grouped, mixture_of
from ssl_asr.corpus.mixtures.timeline import Speech
from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.corpus.seeding import digest
from ssl_asr.frontend.extract import ExtractedUtterance, Extractor
from ssl_asr.frontend.lfbe import lfbe
from ssl_asr.frontend.prior import Prior
from ssl_asr.frontend.streams import normalise
from ssl_asr.recipe import Mixtures, Recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN, CONVERSATION, Utterance

VERSION = "2"  # raise where equal speech gives other conversations, or where other things are learned of them


@dataclass(frozen=True)
class Conversation:
    """Frames float16 [10 ms frames, mel bins] as of a speaker's first utterance, and turns by start, in samples."""

    id: str
    frames: npt.NDArray[np.float16]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class ConversationMaker:
    """Makes the conversations of slabs.

    Utterances of a shard are mixed with each other, and a conversation belongs to the slab of its first turn. So each
    utterance of the shard has at most one turn in a pass, and slabs may be made apart from each other, by anybody. In
    a shard of a single speaker no turns overlap.
    """

    recipe: Recipe
    mixtures: Mixtures
    prior: Prior

    def of_slab(self, shard: Shard, slab: int, sweep: int | None) -> list[Conversation]:
        """In pass `sweep` over the split, or outside of any; there may be none.

        Decided by the recipe's seed, the pass and the shard's utterances. Left out are utterances without a text, and
        those that the front end rejected. ValueError with one sentence where audio is no longer there as it was.
        """
        assert shard.split != "unlabeled", "nobody but the topline may know what unlabeled speech says"
        seed = digest(self.recipe.seed, "conversations", "no pass" if sweep is None else str(sweep))
        groups = _of_first_turn(self._usable(shard), slab, self.mixtures, seed)
        found = (self._mixed(group, shard.split, seed) for group in groups)
        return [self._with_frames(mixture) for mixture in found if mixture is not None]

    def _usable(self, shard: Shard) -> list[list[Utterance]]:
        """The clean utterances of each slab of features that have a text."""
        manifest, heard = (ShardStore(self.recipe.run, name) for name in (utterance.STORE, features.STORE))
        listed = {each.id: each for each in utterance.decode(manifest.read(shard))}
        ids = [slab["id"].to_pylist() for slab in heard.read_slabs(shard, ["id"])]
        if unknown := [name for slab in ids for name in slab if name not in listed]:
            raise ValueError(
                f"{manifest.uri(shard)} does not list the utterance {unknown[0]}, which has features; run the stage "
                "'frontend' again"
            )
        rows = ([listed[name] for name in slab] for slab in ids)
        return [[each for each in slab if each.text and each.condition == CLEAN] for slab in rows]

    def _mixed(self, group: Sequence[Utterance], split: str, seed: int) -> Mixture | None:
        extractor, rate = self._extractors[split], self.recipe.frontend.sample_rate
        speech = [Speech(each.id, each.speaker, each.text or "", extractor.waveform(each)) for each in group]
        return mixture_of(speech, self.mixtures, sample_rate=rate, seed=seed)

    @cached_property
    def _extractors(self) -> dict[str, Extractor]:
        return {split: Extractor(self.recipe, split) for split in utterance.SPLITS}

    def _with_frames(self, mixture: Mixture) -> Conversation:
        """Each conversation is a stream of its own: nobody has heard its talkers in this room before."""
        frontend = self.recipe.frontend
        seconds = len(mixture.samples) / frontend.sample_rate
        whole = Utterance(mixture.id, "", mixture.id, 0, seconds, condition=CONVERSATION)
        heard = [ExtractedUtterance(whole, lfbe(mixture.samples, frontend))]
        (normalised,) = normalise(heard, self.prior.array(), self.prior.level, frontend)
        return Conversation(mixture.id, normalised.frames.astype("<f2"), mixture.turns)


def _of_first_turn(
    slabs: Sequence[Sequence[Utterance]], slab: int, mixtures: Mixtures, seed: int
) -> list[list[Utterance]]:
    """Of all groups of a shard those whose first utterance is of this slab."""
    mine = {each.id for each in slabs[slab]}
    everything = [each for utterances in slabs for each in utterances]
    return [group for group in grouped(everything, mixtures.turns, seed) if group[0].id in mine]
