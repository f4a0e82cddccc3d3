"""Sets of hypotheses: who recognises the unlabeled speech, and from what else the words follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ssl_asr.corpus.text_without_unlabeled import checksum_without_unlabeled, sentences_without_unlabeled
from ssl_asr.decoding.graph_files import graph_inputs, graph_language
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.outside.source import KEY, outside_content, outside_exists
from ssl_asr.hypotheses.transducer_teacher import TransducerTeacher, transducer_exists, transducer_teacher
from ssl_asr.lang.language import language_of
from ssl_asr.models.model_files import model_id
from ssl_asr.models.systems import final_name
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.hypotheses import OUTSIDE
from ssl_asr.recipe.identity import inputs_key, non_defaults
from ssl_asr.runtime.shard_maker import SourceShard
from ssl_asr.store import filesystem, hypotheses
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

VERSION = "1"  # raise where equal inputs give other words, times or posteriors
SPLIT = "unlabeled"


@dataclass(frozen=True)
class GraphRequest:
    """The decoding graph of a set: `inputs` are those of `graph_inputs` for the n-gram's `sentences`."""

    inputs: dict[str, str]
    sentences: Callable[[], Iterator[str]]

    @property
    def key(self) -> str:
        return inputs_key(self.inputs)


@dataclass(frozen=True)
class HypothesisSet:
    """`teacher` is a hash of the model's file, or of the outside words; `inputs` are all others but the features.

    `transducer` is where that file lies and how it searches, if it is another run's transducer.
    """

    run: str
    teacher: str
    inputs: dict[str, str]
    transducer: TransducerTeacher | None = None

    @property
    def id(self) -> str:
        return f"{self.teacher}-{inputs_key(self.inputs)[:6]}"

    @property
    def graph(self) -> str:
        """The key of the decoding graph; only a network of the run has one."""
        return self.inputs["graph"]

    @property
    def store(self) -> ShardStore:
        return ShardStore(self.run, hypotheses.store_name(self.id))

    def parents(self, source: SourceShard) -> dict[str, str]:
        """What the shard is made from that belongs to this shard of features."""
        return {"features": source.checksum, "teacher": self.teacher, **self.inputs}


def is_outside(recipe: Recipe) -> bool:
    """Whether another recogniser has written the words."""
    return (recipe.hypotheses.teacher or "").partition(":")[0] in OUTSIDE


def model_of(recipe: Recipe) -> str:
    """The run's own model that recognises, by the name of its file; "" where there is none."""
    teacher = recipe.hypotheses.teacher
    elsewhere = teacher is None or is_outside(recipe) or recipe.hypotheses.by_transducer
    return "" if elsewhere else final_name(recipe, str(teacher))


def can_be_made(recipe: Recipe) -> bool:
    """Whether the stage has what it needs: a model, or the file of another recogniser's words."""
    if recipe.hypotheses.teacher is None:
        return False
    if recipe.hypotheses.by_transducer:
        return transducer_exists(recipe)
    return (
        outside_exists(recipe) if is_outside(recipe) else filesystem.exists(model_uri(recipe.run, model_of(recipe)))
    )


def hypothesis_set(recipe: Recipe) -> HypothesisSet:
    """That of today's recipe and models, which is where training finds its words.

    ValueError where the recipe names no teacher, or its model or file is missing.
    """
    if recipe.hypotheses.teacher is None:
        raise ValueError(f"no words of the unlabeled speech are asked for; set {KEY}=student, for example")
    if is_outside(recipe):
        inputs = {"version": VERSION, "language": language_of(recipe.hmm.lexicon).code}
        return HypothesisSet(recipe.run, outside_content(recipe), inputs)
    if recipe.hypotheses.by_transducer:
        teacher = transducer_teacher(recipe)
        return HypothesisSet(recipe.run, model_id(teacher.uri), teacher.inputs, teacher)
    inputs = {
        "version": VERSION,
        "graph": graph_request(recipe).key,
        "priors": checksum(load_senones(recipe.run).log_priors().tobytes()),
        **non_defaults(recipe, "pseudo-labels"),
    }
    return HypothesisSet(recipe.run, model_id(model_uri(recipe.run, model_of(recipe))), inputs)


def graph_request(recipe: Recipe) -> GraphRequest:
    """Of an n-gram that has never seen what the unlabeled utterances say (`sentences_without_unlabeled`)."""
    language = graph_language(recipe, recipe.hypotheses.lm_order)
    inputs = graph_inputs(recipe.run, load_senones(recipe.run).id, language, checksum_without_unlabeled(recipe))
    return GraphRequest(inputs, partial(sentences_without_unlabeled, recipe))
