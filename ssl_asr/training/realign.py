"""The realign stage: networks like the teacher align all transcribed speech again, one after the other.

Each is trained on the alignments before it, the first on the flat start's. What follows the stage, the teacher too,
is trained on the last ones (Parthasarathi & Strom 2019 align their labeled speech by a network). The senones stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.aligned_set import counted_senones, flat_senones, set_inputs
from ssl_asr.hmm.flat_model import kept_inputs
from ssl_asr.hmm.network_aligner import Scores
from ssl_asr.hmm.realign_job import RealignJob, RealignParents
from ssl_asr.hmm.senones import SenoneSet, save_senones
from ssl_asr.hmm.stage import aligned_splits
from ssl_asr.labelling.teachers import NetworkLabeller
from ssl_asr.models.model_files import load_model, made_from, model_id
from ssl_asr.models.systems import ALIGNERS, ModelName
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key, non_defaults
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import run_shard_jobs
from ssl_asr.runtime.shard_stage import Outcome, ShardStage
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.runtime.stage_report import StageReport, check_reject_share
from ssl_asr.runtime.todo import SENONE_SET, Todo, reasons, upstream, waiting
from ssl_asr.store import alignments, filesystem
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, model_uri, senones_uri
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.inputs import model_inputs
from ssl_asr.training.stage import is_trained, teacher_plan, train

STAGE = "realign"


@dataclass(frozen=True)
class Round:
    """A network aligns again what `before` names; `after` names what it makes."""

    before: SenoneSet
    after: SenoneSet

    def shard_stage(self, recipe: Recipe) -> ShardStage:
        source, store = (
            ShardStore(recipe.run, alignments.store_name(each.alignment_set)) for each in (self.before, self.after)
        )
        parents = RealignParents(recipe.run, self.after.realigned_by)
        return ShardStage(recipe, source, store, aligned_splits(recipe), parents)


@dataclass
class _Done:
    """Pieces of the stage: a model is one, a shard is one."""

    pieces: int = 0
    skipped: int = 0

    def add(self, pieces: int, skipped: int) -> None:
        self.pieces, self.skipped = self.pieces + pieces, self.skipped + skipped


def run_realign(recipe: Recipe) -> StageReport:
    """As many rounds as the recipe asks for; models and shards that are there, made from the same, are kept."""
    refuse_second(recipe, STAGE)
    senones = flat_senones(recipe)
    clock = StageClock(recipe, STAGE, inputs_key(_stage_inputs(recipe, senones)))
    done, outcome, figures = _Done(), Outcome([], 0, 0), dict[str, float | str]()
    for name in ALIGNERS[: recipe.hmm.realign]:
        plan = teacher_plan(recipe, name, senones)
        trained = is_trained(recipe, plan)
        if not trained:
            clock.claim()
            with joined():
                train(recipe, plan)
        done.add(1, int(trained))
        stage = round_of(recipe, name, senones).shard_stage(recipe)
        todo = stage.unfinished()
        outcome = stage.tidy(_align(recipe, name, senones, todo) if todo else [])
        done.add(stage.size, stage.size - len(todo))
        figures = _figures(stage)
        senones = counted_senones(recipe.run, senones.table, model_id(model_uri(recipe.run, name)))
    save_senones(recipe.run, senones, set_inputs(recipe.run, senones.alignment_set))
    report = clock.finish(done.pieces, done.skipped, outcome.rejects, figures)
    check_reject_share(recipe, STAGE, outcome.lost, outcome.rows)
    return report


def todo_realign(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    names = ALIGNERS[: recipe.hmm.realign]
    causes = upstream(before, f"{FEATURES}/labeled", f"{ALIGNMENTS}/labeled")
    if causes:
        return _all_waiting(recipe, names, causes)
    senones, found = flat_senones(recipe), list[Todo]()
    for place, name in enumerate(names):
        why = reasons(made_from(model_uri(recipe.run, name)), model_inputs(recipe, name, senones))
        if why:
            return [*found, Todo(name, why), *_all_waiting(recipe, names[place + 1 :], [Todo(name, why)])]
        # What was found so far comes before, of an earlier round.
        found = (
            round_of(recipe, name, senones).shard_stage(recipe).todo(STAGE, ALIGNMENTS, [*before, *found], ALIGNMENTS)
        )
        if causes := upstream(found, f"{ALIGNMENTS}/labeled"):
            later = names[place + 1 :]
            return [*found, *(_all_waiting(recipe, later, causes) if later else [waiting(SENONE_SET, causes)])]
        senones = counted_senones(recipe.run, senones.table, model_id(model_uri(recipe.run, name)))
    why = reasons(kept_inputs(senones_uri(recipe.run)), set_inputs(recipe.run, senones.alignment_set))
    return [*found, *([Todo(SENONE_SET, why)] if why else [])]


def rounds(recipe: Recipe) -> Iterator[Round]:
    """Those whose networks the run holds."""
    senones = flat_senones(recipe)
    for name in ALIGNERS[: recipe.hmm.realign]:
        if not filesystem.exists(model_uri(recipe.run, name)):
            return
        found = round_of(recipe, name, senones)
        yield found
        senones = counted_senones(recipe.run, senones.table, found.after.realigned_by)


def round_of(recipe: Recipe, name: ModelName, before: SenoneSet) -> Round:
    """The round of the finished network `name`."""
    return Round(before, replace(before, realigned_by=model_id(model_uri(recipe.run, name))))


def load_job(recipe: Recipe, name: ModelName, before: SenoneSet) -> RealignJob:
    """With the network in memory, on one thread, so that sums are the same on every machine."""
    torch.set_num_threads(1)
    found = round_of(recipe, name, before)
    return RealignJob(recipe.run, recipe.frontend.mel_bins, found.before, found.after, _scores(recipe, name, before))


def _scores(recipe: Recipe, name: ModelName, before: SenoneSet) -> Scores:
    """Log posterior minus log prior, the prior being that of the alignments that the network was trained on."""
    model, _ = load_model(model_uri(recipe.run, name))
    labeller, priors = NetworkLabeller(model), before.log_priors()

    def scores(frames: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        stacked = torch.from_numpy(stack(frames).astype(np.float32))
        return labeller.log_probabilities([stacked])[0].numpy() - priors

    return scores


def _align(recipe: Recipe, name: ModelName, before: SenoneSet, todo: Sequence[Shard]) -> list[Reject]:
    with joined():
        return run_shard_jobs(STAGE, todo, partial(load_job, recipe, name, before))


def _stage_inputs(recipe: Recipe, flat: SenoneSet) -> dict[str, str]:
    rounds = {"hmm.realign": str(recipe.hmm.realign)}
    return {**set_inputs(recipe.run, flat.alignment_set), **rounds, **non_defaults(recipe, "teacher")}


def _figures(stage: ShardStage) -> dict[str, float | str]:
    """Of the last round."""
    entries = [entry.statistics for entry in stage.store.entries("labeled")]
    frames, changed, kept = (
        sum(int(each[name]) for each in entries) for name in ("realigned_frames", "changed_frames", "not_realigned")
    )
    return {"changed_share": changed / max(frames, 1), "not_realigned": float(kept)}


def _all_waiting(recipe: Recipe, names: Sequence[ModelName], causes: Sequence[Todo]) -> list[Todo]:
    networks = [waiting(name, causes) for name in names]
    aligned = [waiting(f"{ALIGNMENTS}/{split}", causes) for split in aligned_splits(recipe)]
    return [*networks, *aligned, waiting(SENONE_SET, causes)]
