"""The run's own measurements: bytes of its stores and speeds of its stages; they replace the stated figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssl_asr.corpus.augment.conditions import versions
from ssl_asr.corpus.split_records import read_record
from ssl_asr.planning.compute import (
    FRAMES_AN_HOUR,
    Devices,
    NetworkSize,
    Rates,
    labelling_seconds,
    student_network,
    teacher_network,
    training_seconds,
)
from ssl_asr.planning.facts import Fact, Facts, stated_facts
from ssl_asr.planning.question import Question
from ssl_asr.planning.speech import Speech, speech_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.runtime.stage_report import ACTOR_HOURS, read_report
from ssl_asr.store import features, filesystem, listing
from ssl_asr.store.layout import MANIFEST, SHARD_SUFFIX, alignments_store, recipe_uri, split_folder, targets_store
from ssl_asr.store.run_index import store_index
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.curve import read_curve

SPLITS = ("labeled", "unlabeled", "dev", "test")
ALIGNING = "float32"  # what a network aligns with, however the teacher labels


@dataclass(frozen=True)
class PlanInputs:
    """All inputs of a plan."""

    facts: Facts
    rates: Rates
    speech: Speech


def known(recipe: Recipe, question: Question, devices: Devices) -> PlanInputs:
    """Stated figures, replaced by measurements of the recipe's run, if there is one."""
    facts, rates, speech = stated_facts(recipe), stated_rates(recipe, devices), speech_of(recipe, question)
    if not filesystem.exists(recipe_uri(recipe.run)):
        return PlanInputs(facts, rates, speech)
    run = open_recipe(recipe.run)  # the recipe that the run really used, without the overrides of this plan
    return PlanInputs(
        _facts(recipe, run, facts), _rates(recipe, run, rates, devices), _speech(recipe, run, speech, question)
    )


def stated_rates(recipe: Recipe, devices: Devices) -> Rates:
    teacher, student = teacher_network(recipe), student_network(recipe)
    learns = training_seconds(student, devices)
    labels, aligns = (
        labelling_seconds(teacher, devices, precision) for precision in (recipe.labelling.precision, ALIGNING)
    )
    return Rates(training_seconds(teacher, devices), learns, learns, learns, labels, aligns)


def _facts(recipe: Recipe, run: Recipe, facts: Facts) -> Facts:
    found: dict[str, Fact | None] = {
        "decoding_speed": _decoding_speed(recipe, run),
        "recognising_speed": _recognising_speed(recipe, run),
    }
    if recipe.frontend == run.frontend:
        found["feature_bytes"] = _bytes(run, features.STORE, "frames")
        found["frontend_speed"] = _speed(run, "frontend")
    hmm = read_report(run, "hmm")
    if hmm is not None and recipe.hmm.senones == run.hmm.senones:
        found["alignment_bytes"] = _bytes(run, alignments_store(str(hmm.figures["senone_set"])), "frames")
    labelled = read_report(run, "labelling")
    if labelled is not None and (recipe.labelling, recipe.hmm.senones) == (run.labelling, run.hmm.senones):
        found["target_bytes"] = _bytes(run, targets_store(labelled.key), "frames")
    if recipe.corpus == run.corpus:
        found["manifest_bytes"] = _bytes(run, MANIFEST, "rows")
        found["utterance_seconds"] = _utterance_seconds(run)
    return replace(facts, **{name: fact for name, fact in found.items() if fact is not None})


def _rates(recipe: Recipe, run: Recipe, rates: Rates, devices: Devices) -> Rates:
    """Speeds hold only for the same kind of device; that of another network is scaled by its multiply-adds."""
    if run.cluster.use_gpu != (devices.kind == "GPU"):
        return rates
    old, new = teacher_network(run), teacher_network(recipe)
    small, wanted = student_network(run), student_network(recipe)
    found = {
        "teacher": _training(run, "teacher", old, new, devices),
        "baseline": _training(run, "baseline", small, wanted, devices),
        "student": (learns := _training(run, "student", small, wanted, devices)),
        "topline": _training(run, "topline", small, wanted, devices) or learns,
        "labelling": _labelling(run, old, new) if recipe.labelling.precision == run.labelling.precision else None,
        "aligning": _labelling(run, old, new) if run.labelling.precision == ALIGNING else None,
    }
    return replace(rates, **{name: rate for name, rate in found.items() if rate is not None})


def _training(run: Recipe, name: str, old: NetworkSize, new: NetworkSize, devices: Devices) -> Fact | None:
    blocks = [record for record in read_curve(run.run, name) if "loss" in record]
    if not blocks:
        return None
    frames = sum(block["frames"] for block in blocks)
    seconds = sum(block["seconds"] * block["workers"] for block in blocks)
    how = f"measured in {run.run}: {frames / seconds:,.0f} frames/s of a {devices.kind} in training/{name}"
    return _scaled(seconds / frames, how, old, new)


def _labelling(run: Recipe, old: NetworkSize, new: NetworkSize) -> Fact | None:
    report = read_report(run, "labelling")
    worked = 0.0 if report is None else float(report.figures.get(ACTOR_HOURS, 0))
    if report is None or not worked:
        return None
    seconds = worked * 3600 / (float(report.figures["hours"]) * FRAMES_AN_HOUR)
    return _scaled(seconds, f"measured in {run.run}: {1 / seconds:,.0f} frames/s of an actor in labelling", old, new)


def _scaled(seconds: float, how: str, old: NetworkSize, new: NetworkSize) -> Fact:
    if old == new:
        return Fact(seconds, how)
    ratio = new.multiply_adds / old.multiply_adds
    return Fact(seconds * ratio, f"{how}, x {ratio:.3g} multiply-adds")


def _speech(recipe: Recipe, run: Recipe, speech: Speech, question: Question) -> Speech:
    """Hours from the corpus stage, if it ran with this recipe's corpus and the command gives no other hours."""
    if recipe.corpus != run.corpus:
        return speech
    given = {"labeled": question.labeled_hours, "unlabeled": question.hours}
    found = {split: _hours(run, split) for split in SPLITS if given.get(split, question.test_hours) is None}
    known = {split: fact for split, fact in found.items() if fact is not None}
    for split, name in (("labeled", "clean_labeled"), ("unlabeled", "recorded_unlabeled")):
        if (stored := known.get(split)) is not None:
            known[name] = Fact(stored.value / versions(recipe.corpus, split), stored.source)
    if question.hours is None and (record := read_record(run.run, "unlabeled")) is not None:
        known["cut"] = Fact(record.cut.get("seconds", 0.0) / 3600, f"measured in {run.run}: corpus")
    return replace(speech, **known)


def _hours(run: Recipe, split: str) -> Fact | None:
    seconds = float(ShardStore(run.run, MANIFEST).index(split).column("seconds").sum())
    return Fact(seconds / 3600, f"measured in {run.run}: manifest") if seconds else None


def _bytes(run: Recipe, store: str, unit: str) -> Fact | None:
    """Bytes for each row, or for each frame at the store's own frame rate."""
    count = store_index(ShardStore(run.run, store)).total(unit)
    folders = [split_folder(run.run, store, split) for split in SPLITS]
    size = sum(int(listing.list_files(folder, SHARD_SUFFIX).sizes.sum()) for folder in folders)
    return Fact(size / count, f"measured in {run.run}: {store}") if count and size else None


def _utterance_seconds(run: Recipe) -> Fact | None:
    manifest = store_index(ShardStore(run.run, MANIFEST))
    rows = manifest.total("rows")
    return Fact(manifest.total("seconds") / rows, f"measured in {run.run}: manifest") if rows else None


def _speed(run: Recipe, stage: str) -> Fact | None:
    report = read_report(run, stage)
    worked = 0.0 if report is None else float(report.figures.get(ACTOR_HOURS, 0))
    if report is None or not worked:
        return None
    return Fact(float(report.figures["hours"]) / worked, f"measured in {run.run}: hours over actor hours of {stage}")


def _decoding_speed(recipe: Recipe, run: Recipe) -> Fact | None:
    report = read_report(run, "evaluate")
    if report is None or recipe.evaluate != run.evaluate:
        return None
    return Fact(float(report.figures["decoding_x_real_time"]), f"measured in {run.run}: evaluate")


def _recognising_speed(recipe: Recipe, run: Recipe) -> Fact | None:
    return _speed(run, "hypotheses") if recipe.hypotheses == run.hypotheses else None
