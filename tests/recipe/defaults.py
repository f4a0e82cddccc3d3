"""All defaults of the recipe, and the versions of what the code means by them: `defaults.json` keeps both.

After a change that `test_identity.py` asks for: `python -m tests.recipe.defaults` writes the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from ssl_asr.adaptation import fairness_stage as fairness
from ssl_asr.adaptation import jobs as adaptation
from ssl_asr.corpus import split_records as listing
from ssl_asr.corpus import split_stage as corpus
from ssl_asr.corpus.augment import banks
from ssl_asr.decoding import graph_files, slab_words
from ssl_asr.evaluation import inputs as evaluation
from ssl_asr.frontend import conversations, parents
from ssl_asr.hmm import alignment_job, lexicon_stage
from ssl_asr.hmm import training as hmm
from ssl_asr.hypotheses import sets as hypotheses
from ssl_asr.labelling import teachers
from ssl_asr.recipe import NETWORKS, OBJECTIVES, Conversations, Hypotheses, Recipe, SeparatorNetwork, Transducer
from ssl_asr.recipe.identity import Product, leaves
from ssl_asr.recipe.predictor import PREDICTORS
from ssl_asr.recipe.section import Section
from ssl_asr.training import inputs as training
from ssl_asr.training.sequence import inputs as sequence
from ssl_asr.training.sequence import lattice_sets
from ssl_asr.training.transducer import inputs as transducer
from ssl_asr.transducer import ngram_files

FILE = Path(__file__).with_name("defaults.json")
Versions = Mapping[str, str]  # of names such as "frontend/parents.py VERSION"

_LATTICES = {"training/sequence/lattice_sets.py VERSION": lattice_sets.VERSION}
_SEQUENCE = {**_LATTICES, "training/sequence/inputs.py VERSION": sequence.VERSION}
_TRAINING = {"training/inputs.py VERSION": training.VERSION}
_EVALUATION = {"evaluation/inputs.py VERSION": evaluation.VERSION}
_WORDS = {"decoding/slab_words.py VERSION": slab_words.VERSION}
_RESULTS = {
    **_EVALUATION,
    **_WORDS,
    "evaluation/inputs.py RESULTS_VERSION": evaluation.RESULTS_VERSION,
    "evaluation/inputs.py TRANSDUCERS_VERSION": evaluation.TRANSDUCERS_VERSION,
}


def _listed(split: str) -> Versions:
    return {f"corpus/split_records.py VERSIONS of {split}": listing.VERSIONS[split]}


# Where a default of a product's fields changes, one of these must.
VERSIONS: Mapping[Product, Versions] = {
    **{split: _listed(split) for split in ("labeled", "unlabeled", "dev", "test")},
    "open-labeled": _listed("labeled"),
    "open-unlabeled": _listed("unlabeled"),
    "open-dev": _listed("dev"),
    "open-test": _listed("test"),
    "shards": {"corpus/split_stage.py SHARDS_VERSION": corpus.SHARDS_VERSION},
    "noise": {"corpus/augment/banks.py VERSION": banks.VERSION, "frontend/parents.py VERSION": parents.VERSION},
    "features": {"frontend/parents.py VERSION": parents.VERSION},
    "lexicon": {"hmm/lexicon_stage.py VERSION": lexicon_stage.VERSION},
    "flat-start": {"hmm/training.py FLAT_START_VERSION": hmm.FLAT_START_VERSION},
    "senones": {"hmm/training.py SENONES_VERSION": hmm.SENONES_VERSION},
    "alignments": {"hmm/alignment_job.py VERSION": alignment_job.VERSION},
    "teacher": _TRAINING,
    "targets": {"labelling/teachers.py VERSION": teachers.VERSION},
    "pseudo-labels": {"hypotheses/sets.py VERSION": hypotheses.VERSION},
    "baseline": _TRAINING,
    "baseline-short": _TRAINING,
    "student": _TRAINING,
    "topline": _TRAINING,
    "lattices": _LATTICES,
    "teacher-smbr": _SEQUENCE,
    "baseline-smbr": _SEQUENCE,
    "baseline-short-smbr": _SEQUENCE,
    "student-smbr": _SEQUENCE,
    "topline-smbr": _SEQUENCE,
    "cohorts": {"adaptation/fairness_stage.py VERSION": fairness.VERSION},
    "adapted": {"adaptation/jobs.py VERSION": adaptation.VERSION},
    "transducer": {
        "training/transducer/inputs.py VERSION": transducer.VERSION,
        "frontend/conversations.py VERSION": conversations.VERSION,
    },
    "transducer-words": {
        "evaluation/inputs.py TRANSDUCED_VERSION": evaluation.TRANSDUCED_VERSION,
        "transducer/ngram_files.py VERSION": ngram_files.VERSION,
    },
    "graph": {"decoding/graph_files.py VERSION": graph_files.VERSION},
    "hypotheses": _EVALUATION,
    "results": _RESULTS,
}
# Kinds of a section are defaults of whatever is trained.
KINDS = "kinds of networks and objectives"


def today() -> dict[str, dict[str, Any]]:
    """By product: "versions", and "fields" with their defaults as JSON."""
    conversing = Transducer(network=SeparatorNetwork(), conversations=Conversations(), unlabeled_passes=0)
    transducers = {"any": Transducer(), "conversing": conversing}
    found = leaves(Recipe(transducers=transducers, hypotheses=Hypotheses(teacher="student")))
    products: dict[str, dict[str, Any]] = {
        product: {
            "versions": dict(VERSIONS[product]),
            "fields": {leaf.path: leaf.value for leaf in found if product in (leaf.affects or ())},
        }
        for product in get_args(Product)
    }
    products[KINDS] = {"versions": dict(_TRAINING), "fields": _kinds()}
    return products


def complaints(kept: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is wrong with defaults that are not those of the file: one sentence for each."""
    said = []
    for product, mine in now.items():
        before = kept.get(product, {"versions": {}, "fields": {}})
        raised = before["versions"] != mine["versions"]
        names = " or ".join(mine["versions"])
        for path, value in mine["fields"].items():
            known = before["fields"].get(path)
            if known not in (None, value) and not raised:
                said.append(f"{path}, which affects {product}, was {known} and is {value}: raise {names}")
    if not said and dict(kept) != dict(now):
        said.append("fields or versions have changed: python -m tests.recipe.defaults writes the file anew")
    return said


def _kinds() -> dict[str, str]:
    return {
        f"{prefix}{path}": value
        for prefix, table in (("", NETWORKS), ("", OBJECTIVES), ("predictor ", PREDICTORS))
        for kind, listed in table.items()
        for path, value in _fields(listed.section, f"{kind}.")
    }


def _fields(section: type[Section], prefix: str) -> Iterator[tuple[str, str]]:
    """Defaults of a section, and of those below it that may be left out."""
    for name, field in section.model_fields.items():
        yield f"{prefix}{name}", json.dumps(field.default)
        for below in get_args(field.annotation):
            if isinstance(below, type) and issubclass(below, Section):
                yield from _fields(below, f"{prefix}{name}.")


if __name__ == "__main__":
    FILE.write_text(json.dumps(today(), indent=1, sort_keys=True) + "\n")
