"""Everything that the report shows of a run, read from its directory; missing parts are None or empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from ssl_asr.adaptation.found import Found, read_found
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.word_quality import WordQuality, read_word_quality
from ssl_asr.labelling.calibration_file import Calibration, read_calibration
from ssl_asr.labelling.top_k import KeptMass
from ssl_asr.models.systems import MODELS, encoder_name, smbr_name, stage_of
from ssl_asr.recipe import Recipe
from ssl_asr.report.corpus import CorpusRow, corpus_rows
from ssl_asr.report.errors.analysis import ErrorAnalysis, analyse
from ssl_asr.report.gates import RunGates, gates_of
from ssl_asr.report.learning_curves import LearningCurve, curve_of
from ssl_asr.report.rejects import count_rejects, each_reject
from ssl_asr.report.targets import TargetShard, kept_by_condition, labelled_shards, target_shards
from ssl_asr.report.versions import versions
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.stage_report import StageReport, read_report
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.corpus_layout import source_uri
from ssl_asr.store.layout import PSEUDO_LABELS, stage_of_store, store_of_set
from ssl_asr.store.ledger import Reject
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.run_index import StoreIndex, run_index

# The page lists at most this many rejects of each split of a stage; `ssl-asr failed` lists all.
SHOWN_REJECTS = 50


@dataclass(frozen=True)
class Evidence:
    recipe: Recipe
    results: Results | None
    errors: ErrorAnalysis | None
    found: Found  # of cohorts; empty where the recipe asks for none
    words: Mapping[str, WordQuality]  # by system; empty without lattices
    curves: Mapping[str, LearningCurve]
    gates: RunGates | None  # what networks with gates run for an utterance; None where there are none
    targets: tuple[TargetShard, ...]
    target_conditions: Mapping[str, KeptMass]  # what was kept of the speech in each condition
    calibration: Calibration | None
    corpus: tuple[CorpusRow, ...]
    corpus_source: str
    stages: Mapping[str, StageReport]
    audio_seconds: Mapping[str, float]  # by stage: the audio (or training frames, as audio) that it processed
    rejects: tuple[tuple[str, Reject], ...]  # by stage: the first of each split
    rejected: int  # all of them
    recipe_yaml: str
    versions: tuple[tuple[str, str], ...]


def gather(recipe: Recipe) -> Evidence:
    stores = run_index(recipe.run)
    labelled = labelled_shards(recipe, stores)
    curves: dict[str, LearningCurve] = {
        name: curve
        for model in (*MODELS, *map(encoder_name, recipe.transducers), *recipe.transducers)
        for name in (model, smbr_name(model))
        if (curve := curve_of(recipe.run, name)) is not None
    }
    source = source_uri(recipe.run)
    results = read_results(recipe.run) if filesystem.exists(results_uri(recipe.run)) else None
    return Evidence(
        recipe=recipe,
        results=results,
        errors=analyse(recipe, results) if results is not None else None,
        found=read_found(recipe),
        words=read_word_quality(recipe.run) if results is not None else {},
        curves=curves,
        gates=gates_of(recipe),
        targets=() if labelled is None else target_shards(labelled),
        target_conditions={} if labelled is None else kept_by_condition(labelled),
        calibration=read_calibration(recipe) if labelled is not None and len(labelled) else None,
        corpus=corpus_rows(stores),
        corpus_source=filesystem.read_bytes(source).decode().strip() if filesystem.exists(source) else "",
        stages={name: report for name in NAMES if (report := read_report(recipe, name)) is not None},
        audio_seconds=_audio_seconds(recipe, stores, labelled, curves),
        rejects=tuple(each_reject(recipe, SHOWN_REJECTS)),
        rejected=count_rejects(recipe),
        recipe_yaml=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False),
        versions=versions(),
    )


def _recognised_seconds(recipe: Recipe, stores: Sequence[StoreIndex]) -> float:
    """Of the hypotheses that the run made last."""
    report = read_report(recipe, "hypotheses")
    name = "" if report is None else store_of_set(PSEUDO_LABELS, report.key)
    return sum(each.total("seconds") for each in stores if each.store.name == name)


def _audio_seconds(
    recipe: Recipe, stores: Sequence[StoreIndex], labelled: LedgerIndex | None, curves: Mapping[str, LearningCurve]
) -> dict[str, float]:
    """Seconds by stage; of targets only the shards `labelled`, of the recipe's current set.

    Realign has none: it trains networks and aligns speech, and the two have no speed in common.
    """

    def made_by(stage: str) -> float:
        mine = (each for each in stores if stage_of_store(each.store.name) == stage)
        return sum(each.total("frames") for each in mine) * features.FRAME_SECONDS

    audio = {
        "frontend": made_by("frontend"),
        "hmm": made_by("hmm"),
        "labelling": 0.0 if labelled is None else float(labelled.column("frames").sum()) * targets.FRAME_SECONDS,
        "hypotheses": _recognised_seconds(recipe, stores),
    }
    for name in MODELS:
        if name in curves:
            audio[stage_of(name)] = audio.get(stage_of(name), 0.0) + curves[name].frames * targets.FRAME_SECONDS
    return {stage: seconds for stage, seconds in audio.items() if seconds}
