"""The realign stage: networks like the teacher align all transcribed speech again, one after the other.

Each is trained on the alignments before it, the first on the flat start's. What follows the stage, the teacher too,
is trained on the last ones (Parthasarathi & Strom 2019 align their labeled speech by a network). The senones stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ssl_asr.hmm.aligned_set import aligned_store, flat_senones, set_inputs
from ssl_asr.hmm.flat_model import kept_inputs
from ssl_asr.hmm.senones import SenoneSet, load_senones, save_senones
from ssl_asr.hmm.stage import aligned_splits
from ssl_asr.models.model_files import made_from
from ssl_asr.models.systems import ALIGNERS, REALIGN, ModelName
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key, non_defaults
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import network_pool, run_shard_jobs
from ssl_asr.runtime.shard_outcome import Outcome
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, keep_rejects
from ssl_asr.runtime.todo import SENONE_SET, Todo, reasons, upstream, waiting
from ssl_asr.store import filesystem
from ssl_asr.store.hmm_layout import senones_uri
from ssl_asr.store.inventory import store_names
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, kind_of_store, stage_of_store, stage_report_uri
from ssl_asr.store.ledger import Reject
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.acoustic_plan import teacher_plan
from ssl_asr.training.inputs import model_inputs
from ssl_asr.training.plan import is_trained
from ssl_asr.training.realign_rounds import Round, after, load_job, round_of, shard_stages, unlabeled_stage
from ssl_asr.training.stage import train

STAGE = REALIGN


def run_realign(recipe: Recipe) -> StageReport:
    """As many rounds as the recipe asks for; models and shards that are there, made from the same, are kept."""
    refuse_second(recipe, STAGE)
    if not recipe.hmm.realign:
        return _none(recipe)
    senones = flat_senones(recipe)
    work = _Work(recipe, StageClock(recipe, STAGE, inputs_key(_stage_inputs(recipe, senones))))
    made: list[Round] = []
    for name in ALIGNERS[: recipe.hmm.realign]:
        work.train(name, senones)
        made.append(work.align(name, senones))
        work.check()
        senones = after(made[-1])
        if not senones.counts.any():
            raise ValueError(f"{name} could align no labeled utterance; see `ssl-asr failed {recipe.run}`")
    save_senones(recipe.run, senones, set_inputs(recipe.run, senones.alignment_set))
    _delete_unused(recipe, made)
    return work.clock.finish(work.pieces, work.skipped, work.rejects.values(), _figures(made[-1].store))


@dataclass
class _Work:
    """What the rounds do, and have done: a model is one of the `pieces`, a shard is one.

    `lost` of the first round's `rows` utterances have no alignment any more. Losses of the unlabeled speech are among
    the `rejects`, but don't count there.
    """

    recipe: Recipe
    clock: StageClock
    pieces: int = 0
    skipped: int = 0
    lost: int = 0
    rows: int = 0
    rejects: dict[str, Reject] = field(default_factory=dict)

    def train(self, name: ModelName, senones: SenoneSet) -> None:
        """The network `name`, on the alignments that `senones` names."""
        plan = teacher_plan(self.recipe, name, senones)
        trained = is_trained(self.recipe, plan)
        self.pieces, self.skipped = self.pieces + 1, self.skipped + trained
        if not trained:
            self._begin()
            self.clock.claim()
            with joined():
                train(self.recipe, plan)

    def align(self, name: ModelName, before: SenoneSet) -> Round:
        """All shards, by the network `name`."""
        found = round_of(self.recipe, name, before)
        stages = shard_stages(self.recipe, found)
        todo, failed = [shard for stage in stages for shard in stage.unfinished()], list[Reject]()
        if todo:
            self._begin()
            job, pool = partial(load_job, self.recipe, name, before), network_pool(self.recipe.cluster)
            with joined():
                failed = run_shard_jobs(STAGE, todo, job, pool=pool, on_shard=self.clock.work)
        size = sum(stage.size for stage in stages)
        self.pieces, self.skipped = self.pieces + size, self.skipped + size - len(todo)
        self._lose([stage.tidy(failed, most=None) for stage in stages])  # rounds are told apart by ids
        return found

    def check(self) -> None:
        """ValueError if too much of the speech is lost to train on the rest."""
        keep_rejects(self.recipe, STAGE, self.rejects.values())
        check_reject_share(self.recipe, STAGE, self.lost, self.rows)

    def _begin(self) -> None:
        """Until all is there again, an older report must not vouch for it."""
        filesystem.delete(stage_report_uri(self.recipe.run, STAGE))

    def _lose(self, outcomes: Sequence[Outcome]) -> None:
        mine, *_ = outcomes
        # A copy that does not fit its recording is rejected again in each round.
        self.lost += mine.lost - sum(reject.id in self.rejects for reject in mine.rejects)
        self.rows = max(self.rows, mine.rows)  # a later round finds no more than the first
        self.rejects |= {reject.id: reject for outcome in outcomes for reject in outcome.rejects}


def todo_realign(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    names, found = ALIGNERS[: recipe.hmm.realign], list[Todo]()
    if not names:
        return []
    if causes := upstream(before, f"{FEATURES}/labeled", f"{ALIGNMENTS}/labeled"):
        return _all_waiting(recipe, names, causes)
    senones = flat_senones(recipe)
    for place, name in enumerate(names):
        later = names[place + 1 :]
        why = reasons(made_from(model_uri(recipe.run, name)), model_inputs(recipe, name, senones))
        if why:
            return _once([*found, Todo(name, why), *_all_waiting(recipe, later, [Todo(name, why)])])
        mine = round_of(recipe, name, senones)
        for stage in shard_stages(recipe, mine):
            # What was found so far comes before, of an earlier round.
            found += stage.todo(STAGE, ALIGNMENTS, [*before, *found], ALIGNMENTS)
        if causes := upstream(found, f"{ALIGNMENTS}/labeled"):
            rest = _all_waiting(recipe, later, causes) if later else [waiting(SENONE_SET, causes)]
            return _once([*found, *rest])
        senones = after(mine)
    why = reasons(kept_inputs(senones_uri(recipe.run)), set_inputs(recipe.run, senones.alignment_set))
    return _once([*found, *([Todo(SENONE_SET, why)] if why else [])])


def _none(recipe: Recipe) -> StageReport:
    """What earlier recipes asked for goes, unless all else still uses it."""
    used = [aligned_store(recipe.run, load_senones(recipe.run))] if filesystem.exists(senones_uri(recipe.run)) else []
    _delete_others(recipe.run, used)
    return StageClock(recipe, STAGE, "off").finish(0, 0, figures={"off": "hmm.realign asks for none"})


def _delete_unused(recipe: Recipe, made: Sequence[Round]) -> None:
    """Sets of networks that are no more, and what an earlier topline left that is not of today."""
    _delete_others(recipe.run, [each.store for each in made])
    if not recipe.evaluate.topline:
        for each in made:
            unlabeled_stage(recipe, each).drop_outdated()


def _delete_others(run: str, used: Collection[ShardStore]) -> None:
    """Nothing asks again for alignments by a network that is no more."""
    for name in store_names(run):
        store = ShardStore(run, name)
        if kind_of_store(name) == ALIGNMENTS and stage_of_store(name) == STAGE and store not in used:
            store.delete()


def _stage_inputs(recipe: Recipe, flat: SenoneSet) -> dict[str, str]:
    rounds = {"hmm.realign": str(recipe.hmm.realign)}
    return {**set_inputs(recipe.run, flat.alignment_set), **rounds, **non_defaults(recipe, "teacher")}


def _figures(last: ShardStore) -> dict[str, float | str]:
    index = last.index("labeled")
    frames, changed = (float(np.nansum(index.statistic(each))) for each in ("realigned_frames", "changed_frames"))
    return {"changed_share": changed / max(frames, 1.0)}


def _all_waiting(recipe: Recipe, names: Sequence[ModelName], causes: Sequence[Todo]) -> list[Todo]:
    networks = [waiting(name, causes) for name in names]
    aligned = [waiting(f"{ALIGNMENTS}/{split}", causes) for split in aligned_splits(recipe)]
    return [*networks, *aligned, waiting(SENONE_SET, causes)]


def _once(found: Iterable[Todo]) -> list[Todo]:
    """Each product as its first round says."""
    first: dict[str, Todo] = {}
    for todo in found:
        first.setdefault(todo.product, todo)
    return list(first.values())
