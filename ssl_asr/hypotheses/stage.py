"""The hypotheses stage: a teacher's words of all unlabeled speech, shard by shard, on Ray Data.

The teacher is a network of the run, with a decoding graph whose n-gram has never seen what the unlabeled utterances
say (`corpus/language_text.py`), a transducer of another run, or another recogniser whose words are read from files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ssl_asr.decoding.graph_files import make_graph
from ssl_asr.evaluation.inputs import check_model
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.figures import figures_of, unmatched_figures
from ssl_asr.hypotheses.job import HypothesisJob
from ssl_asr.hypotheses.outside.exchange import forget_exchange
from ssl_asr.hypotheses.outside.import_stage import import_words
from ssl_asr.hypotheses.outside.source import KEY, note_again, noted_utterances
from ssl_asr.hypotheses.sets import (
    SPLIT,
    HypothesisSet,
    graph_request,
    hypothesis_set,
    is_outside,
    model_of,
)
from ssl_asr.hypotheses.transducer_job import TransducerJob
from ssl_asr.hypotheses.transducer_teacher import check_features, check_model_of
from ssl_asr.hypotheses.words_job import WordsJob
from ssl_asr.models.systems import stage_of
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime import cluster
from ssl_asr.runtime.job_runner import run_shard_jobs
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, read_report
from ssl_asr.runtime.todo import LANGUAGE_TEXT, SENONE_SET, SENONES, Todo, upstream, waiting
from ssl_asr.store import features, filesystem, hypotheses
from ssl_asr.store.layout import FEATURES, PSEUDO_LABELS
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.ledger_index import refreshing
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

STAGE = "hypotheses"


@dataclass(frozen=True)
class HypothesesWork:
    """What the stage found when it began: all unlabeled features, and the shards that it must recognise."""

    clock: StageClock
    made: HypothesisSet
    stage: ShardStage
    todo: list[Shard]

    @property
    def skipped(self) -> int:
        return self.stage.size - len(self.todo)


def run_hypotheses(recipe: Recipe) -> StageReport:
    """Words of every unlabeled shard; shards with unchanged features, teacher and recipe are kept.

    After any number of kills and with any number of actors, the store is the same, byte for byte.
    """
    if recipe.hypotheses.teacher is None:
        return StageClock(recipe, STAGE, "off").finish(0, 0, figures={"off": f"{KEY} names nobody"})
    work = find_work(recipe)
    if is_outside(recipe):
        return _import(recipe, work)
    failed = _recognise(recipe, work) if work.todo else []
    return _finish(recipe, work, failed, {})


def find_work(recipe: Recipe) -> HypothesesWork:
    """Starts the stage; ValueError if its inputs are missing or do not fit the recipe."""
    if not len(ShardStore(recipe.run, features.STORE).index(SPLIT).numbers):
        raise ValueError(f"{recipe.run} has no unlabeled features yet; run the frontend stage first")
    # Refused here, in one sentence, rather than in every actor.
    if model_of(recipe):
        check_model(recipe.run, model_of(recipe), load_senones(recipe.run))
    made = hypothesis_set(recipe)
    if made.transducer is not None:
        check_features(recipe, made.transducer)
        check_model_of(recipe, made.transducer)
    stage = shard_stage(recipe, made)
    return HypothesesWork(StageClock(recipe, STAGE, made.id), made, stage, stage.unfinished())


def todo_hypotheses(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    """All words wait for a network that is to be trained; else those of shards whose features have changed."""
    if recipe.hypotheses.teacher is None:
        return []
    product, name = f"{PSEUDO_LABELS}/{SPLIT}", model_of(recipe)
    if name:
        if causes := upstream(before, name, LANGUAGE_TEXT, SENONES, SENONE_SET):
            count = len(ShardStore(recipe.run, features.STORE).index(SPLIT).numbers)
            return [waiting(product, causes, count or None)]
        if not filesystem.exists(model_uri(recipe.run, name)):
            return [Todo(product, (f"{name}, which is not trained yet",), after=stage_of(name))]
    return shard_stage(recipe, hypothesis_set(recipe)).todo(STAGE, PSEUDO_LABELS, before, FEATURES)


def shard_stage(recipe: Recipe, made: HypothesisSet) -> ShardStage:
    source, report = ShardStore(recipe.run, features.STORE), read_report(recipe, STAGE)
    former = None if report is None else ShardStore(recipe.run, hypotheses.store_name(report.key))
    return ShardStage(recipe, source, made.store, (SPLIT,), made.parents, former=former)


def _recognise(recipe: Recipe, work: HypothesesWork) -> list[Reject]:
    with cluster.joined(), refreshing(partial(work.made.store.index, SPLIT)):
        if work.made.transducer is not None:
            job: Callable[[], WordsJob] = partial(TransducerJob, recipe, work.made, work.made.transducer)
        else:
            _make_graph(recipe)
            job = partial(HypothesisJob, recipe, work.made)
        return run_shard_jobs(STAGE, work.todo, job, skipped=work.skipped, on_shard=work.clock.work)


def _make_graph(recipe: Recipe) -> None:
    progress, wanted = Progress("decoding graph", 1, "graph"), graph_request(recipe)
    graph = cluster.as_task(make_graph)(recipe.run, recipe.hypotheses.lm_order, wanted.inputs, wanted.sentences)
    progress.advance(note=f"{graph.words} words, {graph.states} states")


def _import(recipe: Recipe, work: HypothesesWork) -> StageReport:
    failed, content = list[Reject](), work.made.teacher
    if work.todo:
        failed = import_words(recipe, work.made, work.stage, work.todo, what=STAGE, on_shard=work.clock.work)
    else:
        note_again(recipe, content)
    return _finish(recipe, work, failed, unmatched_figures(work.made.store, noted_utterances(recipe, content)))


def _finish(recipe: Recipe, work: HypothesesWork, failed: list[Reject], more: dict[str, float | str]) -> StageReport:
    forget_exchange(recipe.run)
    outcome = work.stage.tidy(failed)  # of former attempts, and of actors killed while the others went on
    figures = figures_of(work.made.store) | more
    report = work.clock.finish(work.stage.size, work.skipped, outcome.rejects, figures, rejected=outcome.rejected)
    check_reject_share(recipe, STAGE, outcome.lost, outcome.rows)
    return report
