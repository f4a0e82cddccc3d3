"""What a sequence-trained model is made from."""

from __future__ import annotations

from ssl_asr.models.model_files import model_id
from ssl_asr.models.systems import smbr_name
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import PRODUCTS, digest, non_defaults
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.sequence.lattice_sets import SPLIT, lattice_inputs

VERSION = "1"  # raise where equal inputs give another model


def smbr_inputs(recipe: Recipe, name: str) -> dict[str, str]:
    """Of what is trained from the model `name`, which is there. Lattices follow from these."""
    made = ShardStore(recipe.run, features.STORE).index(SPLIT)
    return {
        "version": VERSION,
        name: model_id(model_uri(recipe.run, name)),
        "features": digest(made.column("checksum").tolist()),
        **lattice_inputs(recipe, name),
        **non_defaults(recipe, PRODUCTS[smbr_name(name)]),
    }
