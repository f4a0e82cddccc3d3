"""What a model is made from: by this a training that is done, or begun, is known again."""

from __future__ import annotations

from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.systems import BASELINES, STUDENT, TOPLINE, ModelName, product_of, settings_of
from ssl_asr.recipe import (
    AdversarialCrossEntropySection,
    ConvRnntNetwork,
    NetworkSection,
    Recipe,
    Teacher,
    TransformerNetwork,
)
from ssl_asr.recipe.identity import digest, non_defaults
from ssl_asr.store import alignments, features, targets, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.run_sources import versions_of_pass

VERSION = "3"  # raise where equal inputs give another model
CONV_RNNT_VERSION = "3"  # the same of a ConvRNN-T
RANDOM_GATES_VERSION = "2"  # the same of a Transformer whose gates close at random


def model_inputs(recipe: Recipe, name: ModelName, senones: SenoneSet | None = None) -> dict[str, str]:
    """What a model is made from: the recipe's fields for it, and the very shards that it is trained on.

    `senones`, which name the alignments, are the run's unless given. The schedule follows from all of these. The
    baseline depends on how much unlabeled speech there is, not on which.
    """
    senones = senones or load_senones(recipe.run)
    made = ShardStore(recipe.run, features.STORE)
    aligned = ShardStore(recipe.run, alignments.store_name(senones.alignment_set))
    inputs = {
        "version": VERSION,
        "senones": senones.id,
        "features": digest_of(made, "labeled"),
        "alignments": digest_of(aligned, "labeled"),
        **non_defaults(recipe, product_of(name)),
        **network_inputs(settings_of(recipe, name).network),
    }
    if _sees_tags(recipe, name):
        inputs["tags"] = digest_of(ShardStore(recipe.run, utterance.STORE), "labeled")
    return inputs | _of_unlabeled(recipe, name, aligned)


def network_inputs(network: NetworkSection) -> dict[str, str]:
    """What the network's kind adds to what a model is made from."""
    if isinstance(network, ConvRnntNetwork):
        return {"conv-rnnt version": CONV_RNNT_VERSION}
    gating = network.gating if isinstance(network, TransformerNetwork) else None
    return {"random gates version": RANDOM_GATES_VERSION} if gating and gating.arbitrator == "random" else {}


def _of_unlabeled(recipe: Recipe, name: ModelName, aligned: ShardStore) -> dict[str, str]:
    """What a model is made from of the unlabeled speech; a teacher has none."""
    made = ShardStore(recipe.run, features.STORE)
    if name in BASELINES:
        unlabeled = made.index("unlabeled")
        inputs = {
            "unlabeled frames": str(unlabeled.column("frames").sum()),
            "unlabeled slabs": str(len(unlabeled.slabs())),
        }
        versions = versions_of_pass(recipe.corpus, "unlabeled", recipe.student.versions)
        return inputs if versions == 1 else inputs | {"unlabeled versions": str(versions)}
    if name == TOPLINE:
        return {
            "unlabeled alignments": digest_of(aligned, "unlabeled"),
            "unlabeled features": digest_of(made, "unlabeled"),
        }
    if name == STUDENT:
        store = targets.store_name(target_set_id(recipe))
        return {
            "targets": f"{store} {digest_of(ShardStore(recipe.run, store), 'unlabeled')}",
            "unlabeled features": digest_of(made, "unlabeled"),
        }
    return {}


def _sees_tags(recipe: Recipe, name: ModelName) -> bool:
    settings = settings_of(recipe, name)
    labels = settings.objective if isinstance(settings, Teacher) else settings.labeled_objective
    return isinstance(labels, AdversarialCrossEntropySection) and bool(labels.groups)


def digest_of(store: ShardStore, split: str) -> str:
    """Of the contents of all shards of a split."""
    return digest(store.index(split).column("checksum").tolist())
