"""Everything that the report shows of a run, read from its directory; missing parts are None or empty."""

from __future__ import annotations

import os
import platform
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from ssl_asr.adaptation.found import Found, read_found
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.word_quality import WordQuality, read_word_quality
from ssl_asr.labelling.calibration_file import Calibration, read_calibration
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.labelling.top_k import KeptMass
from ssl_asr.models.systems import MODELS, encoder_name, smbr_name, stage_of, teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.report.errors.analysis import ErrorAnalysis, analyse
from ssl_asr.report.gates import RunGates, gates_of
from ssl_asr.report.learning_curves import LearningCurve, curve_of
from ssl_asr.report.rejects import count_rejects, each_reject
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.stage_report import StageReport, read_report
from ssl_asr.store import features, filesystem, targets, utterance
from ssl_asr.store.corpus_layout import source_uri
from ssl_asr.store.layout import MANIFEST, PSEUDO_LABELS, stage_of_store, store_of_set
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.ledger_index import PARALLEL_READS, LedgerIndex
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.run_index import StoreIndex, run_index
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

# The page lists at most this many rejects of each split of a stage; `ssl-asr failed` lists all.
SHOWN_REJECTS = 50


@dataclass(frozen=True)
class CorpusRow:
    """One split in one condition."""

    split: str
    condition: str
    utterances: int
    hours: float
    speakers: int


@dataclass(frozen=True)
class TargetShard:
    """The ledger's statistics of one shard of targets."""

    frames: int
    kept_mass: float
    entropy_nats: float
    bytes_per_frame: float


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
    labelled = _labelled(recipe, stores)
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
        targets=() if labelled is None else _target_shards(labelled),
        target_conditions={} if labelled is None else _by_condition(labelled),
        calibration=read_calibration(recipe) if labelled is not None and len(labelled) else None,
        corpus=_corpus(stores),
        corpus_source=filesystem.read_bytes(source).decode().strip() if filesystem.exists(source) else "",
        stages={name: report for name in NAMES if (report := read_report(recipe, name)) is not None},
        audio_seconds=_audio_seconds(recipe, stores, labelled, curves),
        rejects=tuple(each_reject(recipe, SHOWN_REJECTS)),
        rejected=count_rejects(recipe),
        recipe_yaml=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False),
        versions=_versions(),
    )


def _labelled(recipe: Recipe, stores: Sequence[StoreIndex]) -> LedgerIndex | None:
    """Shards of the run's current target set; sets of earlier teachers and settings may exist beside it."""
    if not all(filesystem.exists(model_uri(recipe.run, name)) for name in teachers_of(recipe)):
        return None
    name = targets.store_name(target_set_id(recipe))
    mine = next((each.splits.get("unlabeled") for each in stores if each.store.name == name), None)
    return None if mine is None else LedgerIndex(mine.table.filter(pc.field("frames") > 0))


def _target_shards(labelled: LedgerIndex) -> tuple[TargetShard, ...]:
    means = (labelled.statistic(name) for name in ("kept_mass", "entropy_nats", "bytes_per_frame"))
    columns = (column.tolist() for column in (labelled.column("frames"), *means))
    return tuple(TargetShard(*row) for row in zip(*columns, strict=True))


def _by_condition(labelled: LedgerIndex) -> dict[str, KeptMass]:
    """Sums over shards, whose ledgers hold means; clean speech first."""
    begins, ends = "conditions.", ".frames"
    known = [name for name in labelled.statistics_below(begins) if name.endswith(ends)]
    names = [name[len(begins) : -len(ends)] for name in known]
    return {
        name: _kept_in(labelled, f"{begins}{name}.")
        for name in sorted(names, key=lambda name: (name != utterance.CLEAN, name))
    }


def _kept_in(labelled: LedgerIndex, condition: str) -> KeptMass:
    frames = labelled.statistic(f"{condition}frames")
    mass, entropy = (
        float(np.nansum(labelled.statistic(condition + name) * frames)) for name in ("kept_mass", "entropy_nats")
    )
    return KeptMass(int(np.nansum(frames)), mass, entropy)


def _corpus(stores: Sequence[StoreIndex]) -> tuple[CorpusRow, ...]:
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    speakers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for manifest in (each for each in stores if each.kind == MANIFEST):
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            listed = pool.map(partial(_listed, manifest.store), manifest.shards)
            for shard, table in zip(manifest.shards, listed, strict=True):
                for speaker, condition, duration in zip(*(each.to_pylist() for each in table.columns), strict=True):
                    seconds[shard.split, condition].append(duration)
                    speakers[shard.split, condition].add(speaker)
    order = sorted(seconds, key=lambda cell: (utterance.SPLITS.index(cell[0]), cell[1] != utterance.CLEAN, cell[1]))
    return tuple(
        CorpusRow(*cell, len(seconds[cell]), sum(seconds[cell]) / 3600, len(speakers[cell])) for cell in order
    )


def _listed(store: ShardStore, shard: Shard) -> pa.Table:
    return store.read(shard, ["speaker", "condition", "duration"])


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


def machine_text() -> str:
    """ "x86_64, 2 cores, Linux"."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def _versions() -> tuple[tuple[str, str], ...]:
    """This machine, Python, and every direct dependency as installed."""
    names = []
    for requirement in metadata.requires("ssl-asr") or []:
        if "extra ==" not in requirement and (found := re.match(r"[A-Za-z0-9_.-]+", requirement)):
            names.append(found.group())
    return (
        ("machine", machine_text()),
        ("python", platform.python_version()),
        ("ssl-asr", metadata.version("ssl-asr")),
        *((name, metadata.version(name)) for name in sorted(names, key=str.lower)),
    )
