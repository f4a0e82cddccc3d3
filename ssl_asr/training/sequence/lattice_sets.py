"""Lattices of the labeled speech: by which models, and from what else they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.decoding.graph_files import graph_inputs, graph_language
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.model_files import model_id
from ssl_asr.models.systems import TEACHER, settings_of, stage_of
from ssl_asr.recipe import Recipe, SequenceTraining
from ssl_asr.recipe.identity import Inputs, digest, inputs_key, non_defaults
from ssl_asr.runtime.shard_maker import SourceShard
from ssl_asr.sequence import lattice_shards
from ssl_asr.store import alignments
from ssl_asr.store.ledger import Shard, checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

SPLIT = "labeled"
VERSION = "2"  # raise where equal inputs give other lattices


@dataclass(frozen=True)
class LatticeSet:
    """`models` are files of the run with their ids; a shard is decoded by that at its number modulo their count.

    `store` is named after all that the lattices are made from; `inputs` are that besides models and features.
    """

    run: str
    mel_bins: int
    store: str
    settings: SequenceTraining
    graph: Inputs
    alignment_set: str
    models: tuple[tuple[str, str], ...]
    inputs: Mapping[str, str]

    def model_of(self, shard: Shard) -> tuple[str, str]:
        """(name, id)."""
        return self.models[shard.number % len(self.models)]

    def parents(self, source: SourceShard) -> dict[str, str]:
        """What the lattices of the features shard `source` are made from."""
        return {"features": source.checksum, "model": self.model_of(source.shard)[1], **self.inputs}


def lattice_set(recipe: Recipe, owner: str, models: Sequence[str]) -> LatticeSet:
    """Of the labeled speech by these models, for the sequence training of the model `owner`."""
    known = tuple((name, model_id(model_uri(recipe.run, name))) for name in models)
    by = known[0][1] if len(known) == 1 else checksum(" ".join(each for _, each in known).encode())[:12]
    inputs = lattice_inputs(recipe, owner)
    return LatticeSet(
        run=recipe.run,
        mel_bins=recipe.frontend.mel_bins,
        store=lattice_shards.store_name(f"{owner}-{by}-{inputs_key(inputs)[:6]}"),
        settings=settings_of(recipe, owner).sequence,
        graph=_graph(recipe, owner),
        alignment_set=load_senones(recipe.run).alignment_set,
        models=known,
        inputs=inputs,
    )


def lattice_inputs(recipe: Recipe, owner: str) -> dict[str, str]:
    """What lattices depend on besides the features and the models that make them."""
    senones = load_senones(recipe.run)
    aligned = ShardStore(recipe.run, alignments.store_name(senones.alignment_set)).index(SPLIT)
    section = "teacher." if stage_of(owner) == TEACHER else "student."
    mine = {name: value for name, value in non_defaults(recipe, "lattices").items() if name.startswith(section)}
    return {
        "lattice version": VERSION,
        "senones": senones.id,
        "alignments": digest(aligned.column("checksum").tolist()),
        "graph": inputs_key(_graph(recipe, owner)),
        **mine,
    }


def _graph(recipe: Recipe, owner: str) -> dict[str, str]:
    order = settings_of(recipe, owner).sequence.lm_order
    return graph_inputs(recipe.run, load_senones(recipe.run).id, graph_language(recipe, order))
