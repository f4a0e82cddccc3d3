"""Random gates that take as many FLOPs as another transducer's learned ones: the baseline that those must beat."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ssl_asr.frontend.stacking import STACK, stack
from ssl_asr.models.transformer.flops import costs_of, rates_of
from ssl_asr.models.transformer.gates import parts_of
from ssl_asr.recipe import Recipe, TransformerNetwork, flops_of
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.compute import kept_on
from ssl_asr.transducer.model_files import load_transducer

SPLIT = "dev"


def of_equal_flops(recipe: Recipe, name: str) -> TransformerNetwork:
    """The network of the recipe's transducer `name`, with keep rates that take as many FLOPs on dev as another.

    That other transducer, its `flops_of`, is trained. The rates are the shares of each kind of module that it keeps,
    moved together until the FLOPs are equal. ValueError where no rates take as few.
    """
    network = recipe.transducers[name].network
    assert isinstance(network, TransformerNetwork), "the recipe was checked"
    assert network.gating is not None, "the recipe was checked"
    model, _, _ = load_transducer(model_uri(recipe.run, flops_of(network)))
    torch.set_num_threads(1)
    kept = kept_on(model, _utterances(recipe))
    costs = costs_of(network, recipe.frontend.mel_bins * STACK)
    parts = parts_of(network.gating, network.heads)
    try:
        rates = rates_of(costs, parts, torch.tensor(kept.lengths), kept=kept.rates, flops=kept.flops)
    except ValueError as error:
        raise ValueError(
            f"transducers.{name}: {error} of {flops_of(network)}; let its gating be of the same modules"
        ) from None
    gating = network.gating.model_copy(update={"keep_rates": rates, "flops_of": ""})
    return network.model_copy(update={"gating": gating})


def _utterances(recipe: Recipe) -> Iterator[torch.Tensor]:
    """The 30 ms frames of each on dev."""
    store = ShardStore(recipe.run, features.STORE)
    for shard in store.shards(SPLIT):
        for table in store.read_slabs(shard):
            for row in features.decode(table, recipe.frontend.mel_bins):
                yield torch.from_numpy(stack(row.frames)).float()
