"""A finished run with made-up but lifelike contents, for the tests of the report and of `status` alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ssl_asr.evaluation.error_rates import Reduction, SpeakerLimits, WordErrors
from ssl_asr.evaluation.results import FrameAccuracy, Results, TuningPoint
from ssl_asr.evaluation.results_file import write_results
from ssl_asr.labelling.calibration import table_of
from ssl_asr.labelling.calibration_file import Calibration, Summary, calibration_uri
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import features, filesystem, targets, utterance
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.utterance import Utterance
from tests.pinned import PINNED

SETS = {"bob": 0.77, "joe": 0.61, "asterisk": 0.80, "drascula": 0.86}
HEADLINE = "bob + joe"  # the other two are of other channels
CONDITIONS = {"clean": 0.0, "babble-10": 0.10, "effects-10": 0.06, "room": 0.13}
SYSTEMS = {"baseline": 0.0, "teacher": -0.015, "student": -0.045}


def example_recipe(run: Path) -> Recipe:
    """The demo, but for values that a test counts on, which the preset may change."""
    counted = ["student.sub_epochs=5", "student.unlabeled_passes=3", "student.sync.block_slabs=2"]
    return load_recipe("demo", [f"run={run}", *PINNED, "student.whole_sub_epochs=1", *counted])


def fill(recipe: Recipe) -> None:
    """Everything that the stages of a demo leave behind, as far as the report reads it."""
    random = np.random.default_rng(7)
    _fill_stores(recipe, random)
    for model, units in (("teacher", 0.2), ("baseline", 0.0), ("student", 0.1)):
        _fill_curve(recipe, model, units, random)
    write_results(recipe.run, example_results())
    filesystem.write_bytes(f"{recipe.run}/corpus/source.txt", b"recorded speech of three Debian packages\n")
    _fill_calibration(recipe, random)
    for stage in NAMES[:-1]:
        rejects = [Reject("joe-0001", "the audio holds no sample")] if stage == "frontend" else []
        # Labelling names its attempts by the set of targets that it makes.
        clock = StageClock(recipe, stage, target_set_id(recipe) if stage == "labelling" else "key")
        clock.finish(12, 0, rejects, {"x_real_time": 412.5})
        _lengthen(recipe, stage, float(random.integers(20, 200)))


# The name of a set of targets begins with the content address of the teacher's file; nothing here reads more of it.
TEACHER = b"a teacher"


def target_store(recipe: Recipe) -> ShardStore:
    return ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))


def example_results(conditions: Mapping[str, float] = CONDITIONS) -> Results:
    rows, reductions, accuracies = [], [], []
    for set_ in [HEADLINE, *SETS, "all"]:
        for condition in [*conditions, "all"]:
            base = SETS.get(set_, 0.68 if set_ == HEADLINE else 0.75) + conditions.get(condition, 0.07)
            width = 0.012 if set_ == "all" else 0.03
            speakers = SpeakerLimits(9, 0.001, 0.08) if set_ == "all" else SpeakerLimits(1 + (set_ == HEADLINE))
            for system, change in SYSTEMS.items():
                wer = base + change
                counts = (1200, 40, 300, 500, 150)
                rows.append(WordErrors(system, set_, condition, wer, wer - width, wer + width, *counts))
                accuracies.append(FrameAccuracy(system, set_, condition, 0.35 - change))
            gain = 0.045 / base
            reductions.append(
                Reduction(set_, condition, gain, gain - 1.4 * width, gain + 1.4 * width, 0.99, speakers)
            )
    kappa = {"baseline": 0.35, "teacher": 0.35, "student": 0.2}
    dev = [replace(row, wer=row.wer - 0.05) for row in rows if row.set == "all"]
    return Results(
        kappa,
        rows,
        reductions,
        accuracies,
        41.0,
        0.06,
        prior_scale={"baseline": 1.0, "teacher": 1.0, "student": 0.75},
        dev=dev,
        tuning=list(_tuning(kappa)),
        at_bound=["teacher"],
        headline=HEADLINE,
        other_channels=["asterisk", "drascula"],
    )


def _tuning(kappa: Mapping[str, float]) -> Iterator[TuningPoint]:
    """A valley around each system's kappa, a little lower for the student with less of the prior."""
    for system, best in kappa.items():
        for tried in (0.15, 0.2, 0.25, 0.3, 0.35):
            yield TuningPoint(system, tried, 1.0, 0.75 + 0.05 * abs(np.log(tried / best)))
            if system == "student":
                yield TuningPoint(system, tried, 0.75, 0.74 + 0.05 * abs(np.log(tried / best)))


def _fill_stores(recipe: Recipe, random: np.random.Generator) -> None:
    filesystem.write_bytes(model_uri(recipe.run, "teacher"), TEACHER)
    shards = {"labeled": 9, "unlabeled": 10, "dev": 1, "test": 4}
    for split, number in shards.items():
        for shard in (Shard(split, index) for index in range(number)):
            listed = _utterances(shard, random)
            store = ShardStore(recipe.run, utterance.STORE)
            table = utterance.encode(listed)
            frames = round(100 * sum(each.duration for each in listed))
            store.publish(shard, utterance.SCHEMA, [table], [frames], seconds=1, parents={}, metadata={})
            _fill_ledger(recipe, shard, features.STORE, frames, {})
            if split == "unlabeled":
                _fill_ledger(recipe, shard, target_store(recipe).name, frames // 3, _kept(frames // 3, random))


def _kept(frames: int, random: np.random.Generator) -> dict[str, object]:
    """Statistics of a shard of targets: noisy speech loses a little more and is less certain."""
    mass, entropy = float(random.normal(0.981, 0.004)), float(random.normal(1.31, 0.06))
    conditions = {
        name: {"frames": frames // 4, "kept_mass": mass - worse / 10, "entropy_nats": entropy + 3 * worse}
        for name, worse in CONDITIONS.items()
    }
    means = {"kept_mass": mass, "entropy_nats": entropy, "bytes_per_frame": float(random.normal(30.5, 0.8))}
    return {**means, "conditions": conditions, "confidence_frames": [0, 0, frames, 0, 0, 0, 0, 0, 0, 0]}


def _fill_calibration(recipe: Recipe, random: np.random.Generator) -> None:
    """A teacher that is surer than it is right, more so in the middle."""
    confidence = random.beta(1.2, 1.6, 16_000)
    right = random.random(16_000) < confidence - 0.3 * confidence * (1 - confidence)
    table = table_of(confidence, right, np.ones(16_000, int))
    summary = Summary(table.mean_confidence, table.accuracy, table.expected_error, tuple(table.bins()))
    kept = Calibration(("0" * 16,), 16_000, summary, summary)
    filesystem.write_bytes(calibration_uri(recipe), json.dumps(asdict(kept)).encode())


def _utterances(shard: Shard, random: np.random.Generator) -> list[Utterance]:
    conditions = list(CONDITIONS) if shard.split != "dev" else ["clean"]
    return [
        Utterance(
            id=f"{shard.name}-{index}",
            audio="/speech.wav",
            speaker=f"speaker-{shard.number}-{index % 3}",
            order=index,
            duration=float(random.uniform(1, 6)),
            condition=conditions[index % len(conditions)],
        )
        for index in range(120)
    ]


def _fill_ledger(recipe: Recipe, shard: Shard, store: str, frames: int, statistics: dict[str, object]) -> None:
    entry = {
        "store": store,
        "shard": {"split": shard.split, "number": shard.number},
        "rows": 120,
        "frames": frames,
        "seconds": 2.5,
        "slabs": [frames // 2, frames - frames // 2],
        "checksum": "0" * 16,
        "parents": {},
        "statistics": statistics,
        "rejects": [],
    }
    filesystem.write_bytes(ShardStore(recipe.run, store).ledger_uri(shard), json.dumps(entry).encode())


def _fill_curve(recipe: Recipe, model: str, height: float, random: np.random.Generator) -> None:
    lines = []
    phases, per_phase = (6, 10) if model == "teacher" else (10, 8)
    for block in range(phases * per_phase):
        phase = block // per_phase
        source = "unlabeled" if model == "student" and phase % 2 == 0 else "labeled"
        progress = block / (phases * per_phase)
        loss = 4.0 * np.exp(-2.2 * progress) + 1.4 + (0.5 if source == "unlabeled" else 0) + random.normal(0, 0.04)
        record = {
            "block": block,
            "phase": phase,
            "source": source,
            "loss": float(loss),
            "frame_accuracy": 0.42 + height / 5 - 0.4 * float(np.exp(-3 * progress)),
            "learning_rate": 2e-3 * 0.15 ** (phase / phases) * (1.2 if source == "labeled" else 1),
            "frames": 48_000,
            "seconds": 2.5,
            "workers": 2,
            "whole": phase >= phases - 2,
        }
        lines.append(record)
        if block % per_phase == per_phase - 1:
            dev = {"dev_loss": float(loss) + 0.4, "dev_frame_accuracy": record["frame_accuracy"] - 0.04}
            lines.append({"block": block, **dev})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    filesystem.write_bytes(f"{recipe.run}/training/{model}/curve.jsonl", text.encode())


def _lengthen(recipe: Recipe, stage: str, seconds: float) -> None:
    uri = f"{recipe.run}/stages/{stage}.json"
    values = json.loads(filesystem.read_bytes(uri)) | {"seconds": seconds}
    filesystem.write_bytes(uri, json.dumps(values).encode())
