"""Random gates that take as many FLOPs as another transducer's learned ones: the baseline that those must beat."""

from __future__ import annotations

import torch

from ssl_asr.frontend.stacking import STACK, stack
from ssl_asr.models.transformer.flops import costs_of, keep_rate_of
from ssl_asr.models.transformer.gates import parts_of
from ssl_asr.recipe import Recipe, TransformerNetwork, flops_of
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.compute import encoder_flops
from ssl_asr.transducer.model_files import load_transducer

SPLIT = "dev"


def of_equal_flops(recipe: Recipe, name: str) -> TransformerNetwork:
    """The network of the recipe's transducer `name`, with the keep rate that takes as many FLOPs on dev as another.

    That other transducer, its `flops_of`, is trained. ValueError where no rate takes as few.
    """
    network = recipe.transducers[name].network
    assert isinstance(network, TransformerNetwork), "the recipe was checked"
    assert network.gating is not None, "the recipe was checked"
    model, _, _ = load_transducer(model_uri(recipe.run, flops_of(network)))
    torch.set_num_threads(1)
    store, spent, lengths = ShardStore(recipe.run, features.STORE), 0.0, list[int]()
    for shard in store.shards(SPLIT):
        for table in store.read_slabs(shard):
            rows = features.decode(table, recipe.frontend.mel_bins)
            frames = [torch.from_numpy(stack(row.frames)).float() for row in rows]
            spent += float(encoder_flops(model, frames).spent_b.sum())
            lengths += [len(each) + network.look_ahead for each in frames if len(each)]
    costs = costs_of(network, recipe.frontend.mel_bins * STACK)
    try:
        rate = keep_rate_of(costs, parts_of(network.gating, network.heads), torch.tensor(lengths), spent)
    except ValueError as error:
        raise ValueError(
            f"transducers.{name}: {error} of {flops_of(network)}; let its gating be of the same modules"
        ) from None
    gating = network.gating.model_copy(update={"keep_rate": rate, "flops_of": ""})
    return network.model_copy(update={"gating": gating})
