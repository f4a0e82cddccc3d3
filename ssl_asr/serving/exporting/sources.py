"""What is exported: one model of a run with its graph, senones, priors and tuned scales, each checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.decoding.graph_files import graph_inputs, read_graph, read_info, read_vocabulary
from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slab_decoding import log_priors_of
from ssl_asr.evaluation.confidence import Curve
from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.inputs import language_inputs
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.word_quality import read_word_quality
from ssl_asr.frontend.prior import Prior, read_prior
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import load_model, made_from, model_id
from ssl_asr.models.systems import adapted_from, evaluated, stage_of
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.serving.exporting.onnx_export import check_exportable
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.training_layout import model_uri


@dataclass(frozen=True, eq=False)
class Sources:
    """`tested` are the model's results on test; empty if another baseline was chosen, or of an adapted model.

    `graph` is a file's content.
    """

    recipe: Recipe
    name: str
    model: AcousticModel
    about: dict[str, Any]
    senones: SenoneSet
    log_priors: npt.NDArray[np.float32]
    scales: Scales
    prior: Prior
    graph: bytes
    max_label: int
    words: tuple[str, ...]
    lexicon: Lexicon
    results: Results
    tested: tuple[WordErrors, ...]
    curve: Curve | None


def read_sources(recipe: Recipe, name: str) -> Sources:
    """ValueError in one sentence if the model can't stream or be exported, or if there are no results of just it.

    An adapted model has the scales of the model that it was made of.
    """
    before, uri = adapted_from(name, evaluated(recipe)), model_uri(recipe.run, name)
    model, about = _streaming_model(recipe, name, before)
    tuned = name if before is None else before
    senones, results = load_senones(recipe.run), _results(recipe, tuned)
    if before is not None and (made_from(uri) or {}).get("model") != results.inputs[before]:
        raise ValueError(f"{uri} was made of another {before} than the run's; run `ssl-asr adapt {recipe.run}` again")
    if about.get("senone_set") != senones.id:
        raise ValueError(f"{uri} was trained for other senones than the run's; run the {stage_of(name)} stage again")
    key = inputs_key(graph_inputs(recipe.run, senones.id, language_inputs(recipe)))
    graph, max_label = _graph(recipe.run, key)
    words, system = read_vocabulary(recipe.run, key).words, _system(results, name)
    quality = read_word_quality(recipe.run).get(system)
    lexicon = read_lexicon(recipe.run)
    return Sources(
        recipe=recipe,
        name=name,
        model=model,
        about=about,
        senones=senones,
        log_priors=log_priors_of(about, senones),
        scales=Scales(results.kappa[tuned], results.prior_scale.get(tuned, 1.0)),
        prior=read_prior(recipe.run),
        graph=graph,
        max_label=max_label,
        words=words,
        lexicon=lexicon.of(words),
        results=results,
        tested=tuple(row for row in results.rows if row.system == system),
        curve=quality.curve if quality is not None else None,
    )


def _streaming_model(recipe: Recipe, name: str, before: str | None) -> tuple[AcousticModel, dict[str, Any]]:
    """The model with what its file says about it; `before` is the one that it was adapted from, if it was.

    ValueError where it is not there, or can't stream or be exported.
    """
    uri = model_uri(recipe.run, name)
    is_there = filesystem.exists(uri)
    if name not in evaluated(recipe) and (before is None or not is_there):
        raise ValueError(
            f"{recipe.run} has no model '{name}'; it has {', '.join([*evaluated(recipe), *recipe.transducers])}"
            + (f", and no such adapted one: run `ssl-asr adapt {recipe.run}`" if before is not None else "")
        )
    if not is_there:
        raise ValueError(f"{uri} is missing; run the {stage_of(name)} stage first")
    model, about = load_model(uri)
    if not model.encoder.is_causal:
        raise ValueError(f"{uri} needs whole utterances, so it can't stream; export another model, such as student")
    check_exportable(model)
    if model.cohorts is not None:
        raise ValueError(
            f"{uri} must be told the cohort of each speaker, which no bundle knows; export another model"
        )
    return model, about


def _results(recipe: Recipe, name: str) -> Results:
    """Those that this very model was part of: its scales were tuned then."""
    if not filesystem.exists(results_uri(recipe.run)):
        raise ValueError(f"{recipe.run} has no results yet, so no tuned scales; run the evaluate stage first")
    results = read_results(recipe.run)
    if results.inputs.get(name) != model_id(model_uri(recipe.run, name)):
        raise ValueError(f"the results of {recipe.run} are of another {name} than it has now; run evaluate again")
    return results


def _system(results: Results, name: str) -> str:
    """The model's name in the results; of two baselines, only the chosen one has any. Else empty."""
    return next((system for system in results.systems if results.models.get(system, system) == name), "")


def _graph(run: str, key: str) -> tuple[bytes, int]:
    """(content of the file, its largest label)."""
    info = read_info(run, key)
    if info is None:
        raise ValueError(f"{run} has no decoding graph of today's lexicon and text; run the evaluate stage again")
    return read_graph(run, info), info.max_label
