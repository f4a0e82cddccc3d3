"""How good the exported networks of a transducer are: beside torch's, and by the words that they find in a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis, Slab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.summary import score, word_errors
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.serving.exporting.measure import FULL, TOLERANCE, utterances_of
from ssl_asr.serving.exporting.transducers.networks import output_channels
from ssl_asr.serving.exporting.transducers.sources import TransducerSources
from ssl_asr.serving.exporting.transducers.transformer.sure import sure_frames
from ssl_asr.serving.network import Float32, Network
from ssl_asr.serving.streaming.scorer import OnlineNetwork
from ssl_asr.serving.transducers.networks import StepNetworks
from ssl_asr.serving.transducers.piece_search import PieceSearch
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.transducer.channel_search import split_channels
from ssl_asr.transducer.greedy_steps import GreedySteps
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.steps import StepState, TransducerSteps

_BLOCK = 200  # frames that the encoder takes at a time: whole utterances are faster than a stream
_COMPARED = 20  # utterances


class Compared:
    """Two transducers' steps side by side, of which the first one's log-probabilities are given on.

    `difference` is the largest to the other one's, NaN where one is. Other arrays of the two are halves of the last
    dimension.
    """

    def __init__(self, first: TransducerSteps, second: TransducerSteps) -> None:
        self._pair, self.difference = (first, second), 0.0

    def begin(self) -> tuple[Float32, StepState]:
        (one, state), (other, its) = (each.begin() for each in self._pair)
        self._states = len(state)
        return np.concatenate([one, other], -1), (*state, *its)

    def step(self, labels: Sequence[int], state: StepState) -> tuple[Float32, StepState]:
        one, after = self._pair[0].step(labels, state[: self._states])
        other, its = self._pair[1].step(labels, state[self._states :])
        return np.concatenate([one, other], -1), (*after, *its)

    def log_probabilities(self, encoded_j: Float32, predicted_kj: Float32) -> Float32:
        halves = zip(np.split(encoded_j, 2), np.split(predicted_kj, 2, -1), strict=True)
        one, other = (
            each.log_probabilities(*map(np.ascontiguousarray, half))
            for each, half in zip(self._pair, halves, strict=True)
        )
        self.difference = float(np.maximum(self.difference, np.abs(one - other).max()))
        return one


def check_transducer_against_torch(sources: TransducerSources, encoder: Network, steps: StepNetworks) -> float:
    """The largest difference of a log-probability in greedy searches of recorded dev speech; ValueError if it is
    above TOLERANCE. An utterance is compared up to a gate that rounding may turn.
    """
    torchs, worst = ModelSteps(sources.model), 0.0
    spoken = utterances_of(sources.recipe, slabs_of(sources.recipe, "dev"))
    for _, frames in islice((each for each in spoken if len(each[1])), _COMPARED):
        with torch.inference_mode():
            whole = sources.model.encode_whole(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))
        exported = split_channels(encoded(encoder, frames), output_channels(sources.model))
        sure = sure_frames(sources.model, frames)
        for mine, other in zip(whole.reshape(-1, *whole.shape[-2:]), exported, strict=True):
            compared = Compared(torchs, steps)
            search = GreedySteps(compared, sources.search.max_symbols)
            search.accept(np.concatenate([torchs.project(mine), other], -1)[:sure])
            worst = float(np.maximum(worst, compared.difference))
    if not worst <= TOLERANCE:
        raise ValueError(
            f"the exported networks differ from the model by up to {worst:.1e} in a log-probability; this is an "
            "error of the export, so nothing was written"
        )
    return worst


def measure_transducer(
    sources: TransducerSources, encoder: Network, steps: StepNetworks, split: str
) -> tuple[WordErrors, ...]:
    """Word errors on all of `split`, cell by cell; takes minutes for an hour of speech."""
    recipe = sources.recipe
    slabs, said = slabs_of(recipe, split), references(recipe, split)
    progress = Progress(f"recognising {split} with the exported networks", len(slabs), "slabs")
    decoded = []
    for slab in slabs:
        found = tuple(_recognised(sources, encoder, steps, slab))
        decoded.append(DecodedSlab(slab.parents, 0.0, found))
        progress.advance()
    return tuple(word_errors({FULL: score(said, decoded)}, Draws(recipe.evaluate.bootstrap, recipe.seed)))


def encoded(encoder: Network, frames: Float32) -> Float32:
    """What the joiner takes [frames, channels x joiner] of a whole utterance [30 ms frames, inputs]."""
    online = OnlineNetwork(encoder, _BLOCK)
    blocks = [*online.accept(frames), *online.finish()]
    return np.concatenate(blocks) if blocks else np.zeros((0, encoder.shape.outputs), np.float32)


def slabs_of(recipe: Recipe, split: str) -> list[Slab]:
    """All slabs of the split's features, in order; a transducer needs no alignments."""
    entries = ShardStore(recipe.run, features.STORE).entries(split)
    return [Slab(each.shard, number, {}) for each in entries for number in range(len(each.slabs))]


def _recognised(
    sources: TransducerSources, encoder: Network, steps: StepNetworks, slab: Slab
) -> Iterator[Hypothesis]:
    for name, frames in utterances_of(sources.recipe, [slab]):
        search, error = PieceSearch(steps, sources.search, sources.pieces), ""
        try:
            search.advance(encoded(encoder, frames))
        except ValueError as problem:  # what can't be recognised has no words, as in the evaluate stage
            error = str(problem)
        yield Hypothesis(name, search.words(ends=True), len(frames), 0, 0, error)
