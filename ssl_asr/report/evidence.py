"""Everything that a run has to show for itself, read from its directory; what is not there yet is None or empty."""

from __future__ import annotations

import os
import platform
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

import pyarrow as pa
import yaml

from ssl_asr.evaluation.results import Results, read_results, results_uri
from ssl_asr.labelling.calibration_file import Calibration, read_calibration
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.labelling.top_k import KeptMass
from ssl_asr.models.model_files import model_uri
from ssl_asr.models.systems import MODELS
from ssl_asr.recipe import Recipe
from ssl_asr.report.learning_curves import LearningCurve, curve_of
from ssl_asr.report.status import ledger_entries, rejects
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.stage import StageReport, read_report
from ssl_asr.store import features, filesystem, targets, utterance
from ssl_asr.store.ledger import LedgerEntry, Reject
from ssl_asr.store.shards import ShardStore


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
    """What the ledger says of one shard of teacher targets."""

    frames: int
    kept_mass: float
    entropy_nats: float
    bytes_per_frame: float


@dataclass(frozen=True)
class Evidence:
    recipe: Recipe
    results: Results | None
    curves: Mapping[str, LearningCurve]
    targets: tuple[TargetShard, ...]
    target_conditions: Mapping[str, KeptMass]  # what was kept of the speech in each condition
    calibration: Calibration | None
    corpus: tuple[CorpusRow, ...]
    corpus_source: str
    stages: Mapping[str, StageReport]
    audio_seconds: Mapping[str, float]  # by stage: how much audio (or training frames' worth of it) went through
    rejects: tuple[tuple[str, Reject], ...]
    recipe_yaml: str
    versions: tuple[tuple[str, str], ...]


def gather(recipe: Recipe) -> Evidence:
    ledger = ledger_entries(recipe)
    labelled = _labelled(recipe, ledger)
    curves = {name: curve for name in MODELS if (curve := curve_of(recipe.run, name)) is not None}
    source = filesystem.join(recipe.run, "corpus", "source.txt")
    return Evidence(
        recipe=recipe,
        results=read_results(recipe.run) if filesystem.exists(results_uri(recipe.run)) else None,
        curves=curves,
        targets=tuple(map(_target_shard, labelled)),
        target_conditions=_by_condition(labelled),
        calibration=read_calibration(recipe) if labelled else None,
        corpus=_corpus(recipe, ledger),
        corpus_source=filesystem.read_bytes(source).decode().strip() if filesystem.exists(source) else "",
        stages={name: report for name in NAMES if (report := read_report(recipe, name)) is not None},
        audio_seconds=_audio_seconds(ledger, labelled, curves),
        rejects=tuple(rejects(recipe)),
        recipe_yaml=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False),
        versions=_versions(),
    )


def _labelled(recipe: Recipe, ledger: list[LedgerEntry]) -> list[LedgerEntry]:
    """Shards of the run's own set of targets; those of earlier teachers and settings may lie beside them."""
    if not all(filesystem.exists(model_uri(recipe.run, name)) for name in recipe.labelling.teachers):
        return []
    store = targets.store_name(target_set_id(recipe))
    return [entry for entry in ledger if entry.store == store and entry.frames]


def _target_shard(entry: LedgerEntry) -> TargetShard:
    said = entry.statistics
    return TargetShard(
        entry.frames, *(float(said[name]) for name in ("kept_mass", "entropy_nats", "bytes_per_frame"))
    )


def _by_condition(labelled: list[LedgerEntry]) -> dict[str, KeptMass]:
    """Sums over shards, whose ledgers hold means; clean speech first."""
    sums: dict[str, KeptMass] = {}
    for entry in labelled:
        for condition, said in entry.statistics["conditions"].items():
            frames = said["frames"]
            kept = KeptMass(frames, said["kept_mass"] * frames, said["entropy_nats"] * frames)
            sums[condition] = sums.get(condition, KeptMass()) + kept
    return {name: sums[name] for name in sorted(sums, key=lambda name: (name != utterance.CLEAN, name))}


def _corpus(recipe: Recipe, ledger: list[LedgerEntry]) -> tuple[CorpusRow, ...]:
    store = ShardStore(recipe.run, utterance.STORE)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    speakers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in ledger:
        if entry.store != utterance.STORE or not entry.rows:
            continue
        with store.open(entry.shard) as file:
            table: pa.Table = file.read(columns=["speaker", "condition", "duration"])
        for speaker, condition, duration in zip(*(column.to_pylist() for column in table.columns), strict=True):
            cell = (entry.shard.split, condition)
            seconds[cell].append(duration)
            speakers[cell].add(speaker)
    order = sorted(seconds, key=lambda cell: (utterance.SPLITS.index(cell[0]), cell[1] != utterance.CLEAN, cell[1]))
    return tuple(
        CorpusRow(*cell, len(seconds[cell]), sum(seconds[cell]) / 3600, len(speakers[cell])) for cell in order
    )


def _audio_seconds(
    ledger: list[LedgerEntry], labelled: list[LedgerEntry], curves: Mapping[str, LearningCurve]
) -> dict[str, float]:
    """By stage; of targets only those `labelled` for the recipe's own set."""

    def of(store: str, frame: float) -> float:
        return sum(entry.frames for entry in ledger if entry.store.split("/")[0] == store) * frame

    audio = {
        "frontend": of(features.STORE, features.FRAME_SECONDS),
        "hmm": of("alignments", features.FRAME_SECONDS),
        "labelling": sum(entry.frames for entry in labelled) * targets.FRAME_SECONDS,
        **{name: curve.frames * targets.FRAME_SECONDS for name, curve in curves.items()},
    }
    return {stage: seconds for stage, seconds in audio.items() if seconds}


def _versions() -> tuple[tuple[str, str], ...]:
    """This machine, Python, and every direct dependency as installed."""
    names = []
    for requirement in metadata.requires("ssl-asr") or []:
        if "extra ==" not in requirement and (found := re.match(r"[A-Za-z0-9_.-]+", requirement)):
            names.append(found.group())
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    return (
        ("machine", machine),
        ("python", platform.python_version()),
        ("ssl-asr", metadata.version("ssl-asr")),
        *((name, metadata.version(name)) for name in sorted(names, key=str.lower)),
    )
