"""What a transducer is made from: by this a training that is done, or begun, is known again."""

from __future__ import annotations

from ssl_asr.frontend.conversations import VERSION as CONVERSATIONS_VERSION
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.models.model_files import model_id
from ssl_asr.recipe import Recipe, TransformerNetwork, flops_of
from ssl_asr.recipe.identity import inputs_key, non_defaults
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.inputs import digest_of, network_inputs
from ssl_asr.training.transducer.encoder import encoder_inputs
from ssl_asr.training.transducer.word_pieces import VERSION as WORD_PIECES_VERSION
from ssl_asr.training.transducer.word_pieces import labeled_texts

VERSION = "1"  # raise where equal inputs give another transducer
FLOPS_OF = "FLOPs of"  # the input that names the model whose FLOPs random gates take
GATING_VERSION = "1"  # the same of one with gates


def transducer_inputs(recipe: Recipe, name: str) -> dict[str, str]:
    """The recipe's fields for it, the speech and the words that it is trained on, and the text of its word pieces."""
    settings = recipe.transducers[name]
    others = tuple(f"transducers.{each}." for each in recipe.transducers if each != name)
    fields, heard = non_defaults(recipe, "transducer"), ShardStore(recipe.run, features.STORE)
    inputs = {
        "version": VERSION,
        "word pieces version": WORD_PIECES_VERSION,
        "features": digest_of(heard, "labeled"),
        "texts": labeled_texts(recipe),
        **{path: value for path, value in fields.items() if not path.startswith(others)},
        **network_inputs(settings.network),
    }
    if judges_texts(recipe):
        store = alignments.store_name(load_senones(recipe.run).alignment_set)
        inputs["alignments"] = digest_of(ShardStore(recipe.run, store), "labeled")
    if settings.conversations is not None:
        inputs["conversations version"] = CONVERSATIONS_VERSION
    inputs |= _beginning(recipe, name) | _gating(recipe, name)
    if settings.unlabeled_passes:
        made = hypothesis_set(recipe)
        inputs |= {
            "hypotheses": f"{made.id} {digest_of(made.store, 'unlabeled')}",
            "unlabeled features": digest_of(heard, "unlabeled"),
        }
    return inputs


def _beginning(recipe: Recipe, name: str) -> dict[str, str]:
    """What its encoder, or all of it, has learned before."""
    settings, inputs = recipe.transducers[name], dict[str, str]()
    if settings.encoder_from:
        inputs["encoder"] = model_id(model_uri(recipe.run, settings.encoder_from))
    if settings.start_from:
        inputs["start"] = inputs_key(transducer_inputs(recipe, settings.start_from))
    if settings.senone_passes:
        inputs["encoder"] = inputs_key(encoder_inputs(recipe, name))
    return inputs


def _gating(recipe: Recipe, name: str) -> dict[str, str]:
    """Of a network with gates, and of one whose gates close at random as often as those of another."""
    network, inputs = recipe.transducers[name].network, dict[str, str]()
    if isinstance(network, TransformerNetwork) and network.gating is not None:
        inputs["gating version"] = GATING_VERSION
    if other := flops_of(network):
        uri = model_uri(recipe.run, other)
        inputs[FLOPS_OF] = model_id(uri) if filesystem.exists(uri) else "not trained yet"
        inputs["dev features"] = digest_of(ShardStore(recipe.run, features.STORE), "dev")
    return inputs


def judges_texts(recipe: Recipe) -> bool:
    """Whether labeled utterances weigh as the alignment judges their texts."""
    return recipe.hmm.wrong_texts != "keep"
