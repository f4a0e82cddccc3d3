"""What is exported of a run's transducer: the model with its word pieces and search, and results if there are any."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.inputs import describe_conversations, describe_transducer
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.frontend.prior import Prior, read_prior
from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.recipe import Recipe, TransducerSearch
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.serving.exporting.transducers.networks import check_transducer_exportable
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import load_transducer


@dataclass(frozen=True, eq=False)
class TransducerSources:
    """`tested` are the results of just this model on test and `results` their key; empty where there are none."""

    recipe: Recipe
    name: str
    model: TransducerModel
    pieces: WordPieces
    search: TransducerSearch
    prior: Prior
    results: str
    tested: tuple[WordErrors, ...]

    @property
    def conversing(self) -> bool:
        """Whether it recognises conversations."""
        return self.name in self.recipe.conversation_transducers

    @property
    def rate_name(self) -> str:
        """Of its word errors; each turn of a conversation counts on the output channel that suits it best."""
        return "ORC-WER" if self.conversing else "WER"


def read_transducer_sources(recipe: Recipe, name: str) -> TransducerSources:
    """`name` is one of the recipe's; ValueError in one sentence if it can't stream, be exported or used."""
    conversing, search = name in recipe.conversation_transducers, recipe.transducers[name].search
    key = describe_conversations(recipe, name).key if conversing else describe_transducer(recipe, name).key
    if search.lm_weight:
        raise ValueError(
            f"transducers.{name}.search.lm_weight={search.lm_weight:g} is of an n-gram, which an export does "
            f"not hold; add transducers.{name}.search.lm_weight=0 transducers.{name}.search.label_bonus=0"
        )
    uri = model_uri(recipe.run, name)
    model, pieces, _ = load_transducer(uri)
    if not model.encoder.is_causal:
        raise ValueError(f"{uri} needs whole utterances, so it can't stream; train it with another network")
    check_transducer_exportable(model)
    inputs = recipe.frontend.mel_bins * recipe.frontend.stack
    if model.spec.inputs != inputs:
        raise ValueError(f"{uri} takes {model.spec.inputs} values of a frame, the run's front end makes {inputs}")
    if odd := next((piece for piece in pieces.pieces if not piece.isprintable()), None):
        raise ValueError(f"{uri} has the word piece {odd!r}, which can't be printed; take it out of the transcripts")
    results = _results(recipe, f"{'conversations' if conversing else 'transducer'} {name}", key)
    return TransducerSources(
        recipe=recipe,
        name=name,
        model=model,
        pieces=pieces,
        search=search,
        prior=read_prior(recipe.run),
        results="" if results is None else inputs_key(results.inputs),
        tested=() if results is None else _rows(results, name),
    )


def _results(recipe: Recipe, system: str, key: str) -> Results | None:
    """Those of which the model is part, with its search of today."""
    if not filesystem.exists(results_uri(recipe.run)):
        return None
    results = read_results(recipe.run)
    return results if results.inputs.get(system) == key else None


def _rows(results: Results, name: str) -> tuple[WordErrors, ...]:
    rows = [row for each in results.transducers if each.name == name for row in each.rows]
    return (*rows, *(each.row for each in results.conversations if each.row.system == name))
