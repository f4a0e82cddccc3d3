"""How good the exported networks are: decoded on a split of the run, beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from ssl_asr.decoding.decoder import Decoder, DecodingGraph
from ssl_asr.decoding.scores import Float32, Scales
from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis, Slab
from ssl_asr.evaluation.bootstrap import Draws, Interval, compare
from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.inputs import references, split_slabs
from ssl_asr.evaluation.summary import score, word_errors
from ssl_asr.frontend.stacking import stack
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.serving.exporting.sources import Sources
from ssl_asr.serving.network import Network
from ssl_asr.serving.streaming.scorer import OnlineScorer
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore

FULL, INT8 = "fp32", "int8"
TOLERANCE = 1e-4  # of log posteriors, between torch and the exported network
_BLOCK = 200  # frames that a network takes at a time: whole utterances are faster than a stream
_COMPARED = 20  # utterances


@dataclass(frozen=True)
class Measured:
    """Word errors of FULL and INT8 on `split`, cell by cell; `reduction` is INT8's relative to FULL's, of all."""

    split: str
    rows: tuple[WordErrors, ...]
    reduction: Interval


def check_against_torch(sources: Sources, network: Network) -> float:
    """The largest difference of a log posterior on recorded dev speech; ValueError if it is above TOLERANCE."""
    worst = 0.0
    spoken = utterances_of(sources.recipe, split_slabs(sources.recipe, "dev", sources.senones))
    for _, frames in islice((each for each in spoken if len(each[1])), _COMPARED):
        with torch.inference_mode():
            expected = torch.log_softmax(sources.model.logits([torch.from_numpy(frames)])[0], -1).numpy()
        found = scores_of(network, frames, np.zeros_like(sources.log_priors), Scales(1.0))
        worst = max(worst, float(np.abs(found - expected).max()))
    if worst > TOLERANCE:
        raise ValueError(
            f"the exported network differs from the model by up to {worst:.1e} in a log posterior; this is an error "
            "of the export, so nothing was written"
        )
    return worst


def measure(sources: Sources, networks: Mapping[str, Network], graph: DecodingGraph, split: str) -> Measured:
    """Decode all of `split` with FULL and INT8; takes minutes for an hour of speech."""
    recipe = sources.recipe
    slabs = split_slabs(recipe, split, sources.senones)
    said = references(recipe, split)
    progress = Progress(f"decoding {split} with fp32 and int8", len(slabs), "slabs")
    decoder = Decoder(graph, recipe.evaluate.beam, recipe.evaluate.max_active)
    decoded: dict[str, list[DecodedSlab]] = {name: [] for name in networks}
    for slab in slabs:
        rows = list(utterances_of(recipe, [slab]))
        for name, network in networks.items():
            found = tuple(_hypothesis(sources, network, decoder, *row) for row in rows)
            decoded[name].append(DecodedSlab(slab.parents, 0.0, found))
        progress.advance()
    scored = {name: score(said, found) for name, found in decoded.items()}
    draws = Draws(recipe.evaluate.bootstrap, recipe.seed)
    gain = compare(scored[FULL], scored[INT8], draws).reduction
    return Measured(split, tuple(word_errors(scored, draws)), gain)


def scores_of(network: Network, frames: Float32, log_priors: Float32, scales: Scales) -> Float32:
    """Scores [frames, senones] of a whole utterance [30 ms frames, inputs]."""
    scorer = OnlineScorer(network, log_priors, scales, _BLOCK)
    blocks = [*scorer.accept(frames), *scorer.finish()]
    return np.concatenate(blocks) if blocks else np.zeros((0, network.shape.outputs), np.float32)


def _hypothesis(sources: Sources, network: Network, decoder: Decoder, name: str, frames: Float32) -> Hypothesis:
    try:
        words, error = decoder.decode(scores_of(network, frames, sources.log_priors, sources.scales)), ""
    except ValueError as problem:  # an utterance that can't be decoded has no words, as in the evaluate stage
        words, error = [], str(problem)
    return Hypothesis(name, tuple(words), len(frames), 0, 0, error)


def utterances_of(recipe: Recipe, slabs: Sequence[Slab]) -> Iterator[tuple[str, Float32]]:
    """(id, stacked frames) of the run's own features."""
    store, bins = ShardStore(recipe.run, features.STORE), recipe.frontend.mel_bins
    for slab in slabs:
        for row in features.decode(store.read_slab(slab.shard, slab.number), bins):
            yield row.id, stack(row.frames).astype(np.float32)
