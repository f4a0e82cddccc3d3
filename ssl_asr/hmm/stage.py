"""The hmm stage: features and texts to lexicon, senones and alignments."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from threadpoolctl import threadpool_limits

from ssl_asr.hmm import unlabeled_texts
from ssl_asr.hmm.aligned_set import counted_senones, set_inputs
from ssl_asr.hmm.alignment_job import alignment_parents, load_job
from ssl_asr.hmm.figures import stage_figures, unused_imports
from ssl_asr.hmm.flat_model import kept_inputs
from ssl_asr.hmm.import_stage import ensure_imported
from ssl_asr.hmm.imported import ImportIndex
from ssl_asr.hmm.lexicon_stage import ensure_lexicon, lexicon_inputs
from ssl_asr.hmm.lexicon_stage import kept_inputs as lexicon_kept_inputs
from ssl_asr.hmm.senones import save_senones
from ssl_asr.hmm.text_counts import warnings
from ssl_asr.hmm.training import (
    HmmInputs,
    Trained,
    chunk_sources,
    early_sources,
    hmm_inputs,
    read_trained,
    train,
    usable_frames,
)
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import run_shard_jobs
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share
from ssl_asr.runtime.todo import (
    FLAT_START,
    LANGUAGE_TEXT,
    LEXICON,
    SENONE_SET,
    SENONES,
    Todo,
    reasons,
    upstream,
    waiting,
)
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.hmm_layout import flat_start_uri, senones_uri, tree_uri, unused_imports_uri
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, stage_report_uri
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore

STAGE = "hmm"
SPLITS = ("labeled", "dev", "test")


def run_hmm(recipe: Recipe) -> StageReport:
    """Lexicon, flat start, senones and alignments; what is found done for the same features and texts is kept."""
    inputs = hmm_inputs(recipe)
    clock = StageClock(recipe, STAGE, inputs_key(inputs.senones))
    labeled = [entry for entry in ShardStore(recipe.run, features.STORE).entries("labeled") if entry.rows]
    if not labeled:
        raise ValueError(f"{recipe.run} has no labeled features yet; run the frontend stage first")
    unlabeled_texts.check_texts(recipe)
    lexicon = ensure_lexicon(recipe)
    trained, failed = read_trained(recipe.run, inputs), list[Reject]()
    stages = [] if trained is None else alignment_stages(recipe, trained)
    todo = [shard for stage in stages for shard in stage.unfinished()]
    if trained is None or todo:
        imported = ensure_imported(recipe, inputs.imported)
        # Until the senone set is there again, an older report must not vouch for it.
        filesystem.delete(stage_report_uri(recipe.run, STAGE))
        with joined():
            trained = trained or _train(recipe, inputs, labeled=labeled, lexicon=lexicon, imported=imported)
            stages = alignment_stages(recipe, trained)
            todo = [shard for stage in stages for shard in stage.unfinished()]
            failed = _align(recipe, stages, inputs, todo)
    return _finish(recipe, clock, trained, stages, failed, len(todo))


def todo_hmm(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    found = _todo_lexicon(recipe, before)
    inputs = hmm_inputs(recipe)
    causes = upstream(before, f"{FEATURES}/labeled")
    for product, uri, wanted in (
        (FLAT_START, flat_start_uri(recipe.run), inputs.flat_start),
        (SENONES, tree_uri(recipe.run), inputs.senones),
    ):
        if causes:
            causes = [waiting(product, causes)]
        elif why := reasons(kept_inputs(uri), wanted):
            causes = [Todo(product, why)]
        found += causes
    if causes:
        # All alignments are those of one senone set.
        splits = aligned_splits(recipe)
        aligned = [waiting(f"{ALIGNMENTS}/{split}", causes, _count(recipe, split)) for split in splits]
        return [*found, *aligned, *_if_last(recipe, waiting(SENONE_SET, causes))]
    trained = read_trained(recipe.run, inputs)
    assert trained is not None, "both parts are there"
    stages = alignment_stages(recipe, trained)
    aligned = [todo for stage in stages for todo in stage.todo(STAGE, ALIGNMENTS, before, FEATURES)]
    if causes := upstream(aligned, f"{ALIGNMENTS}/labeled"):
        return [*found, *aligned, *_if_last(recipe, waiting(SENONE_SET, causes))]
    why = reasons(kept_inputs(senones_uri(recipe.run)), set_inputs(recipe.run, trained.senone_set))
    return [*found, *aligned, *(_if_last(recipe, Todo(SENONE_SET, why)) if why else [])]


def _if_last(recipe: Recipe, senone_set: Todo) -> list[Todo]:
    """Where a network aligns again, that stage makes the set."""
    return [] if recipe.hmm.realign else [senone_set]


def _todo_lexicon(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    causes = upstream(before, *(f"manifest/{split}" for split in SPLITS), LANGUAGE_TEXT)
    if causes:
        return [waiting(LEXICON, causes, certain=False)]
    why = reasons(lexicon_kept_inputs(recipe.run), lexicon_inputs(recipe))
    return [Todo(LEXICON, why)] if why else []


def _count(recipe: Recipe, split: str) -> int | None:
    return len(ShardStore(recipe.run, features.STORE).index(split).numbers) or None


def aligned_splits(recipe: Recipe) -> tuple[str, ...]:
    """Those that every run aligns, and `unlabeled` for the topline."""
    return (*SPLITS, unlabeled_texts.SPLIT) if recipe.evaluate.topline else SPLITS


def alignment_stages(recipe: Recipe, trained: Trained) -> list[ShardStage]:
    """Of the splits that every run aligns, and of the unlabeled speech for the topline."""
    source, store = ShardStore(recipe.run, features.STORE), _store(recipe, trained)
    mine = ShardStage(recipe, source, store, SPLITS, partial(alignment_parents, trained=trained))
    return [mine, unlabeled_texts.unlabeled_stage(recipe, trained)] if recipe.evaluate.topline else [mine]


def _train(
    recipe: Recipe,
    inputs: HmmInputs,
    *,
    labeled: Sequence[LedgerEntry],
    lexicon: str,
    imported: ImportIndex | None,
) -> Trained:
    from ssl_asr.hmm.placement import on_ray  # imports Ray, which only making anything needs

    # One thread here and in the tasks: sums come out the same on every machine.
    with threadpool_limits(1):
        chunks = chunk_sources(recipe, labeled, lexicon, imported)
        early = early_sources(chunks, usable_frames(labeled, imported))
        return train(recipe.run, recipe.hmm, on_ray(chunks), on_ray(early), inputs)


def _align(recipe: Recipe, stages: Sequence[ShardStage], inputs: HmmInputs, todo: Sequence[Shard]) -> list[Reject]:
    if any(shard.split == unlabeled_texts.SPLIT for shard in todo):
        unlabeled_texts.ensure_lexicon(recipe)
    job = partial(load_job, recipe.run, recipe.frontend.mel_bins, inputs, recipe.hmm.wrong_texts)
    return run_shard_jobs(STAGE, todo, job, skipped=sum(stage.size for stage in stages) - len(todo))


def _finish(
    recipe: Recipe, clock: StageClock, trained: Trained, stages: Sequence[ShardStage], failed: list[Reject], made: int
) -> StageReport:
    outcome, *others = (stage.tidy(failed) for stage in stages)
    store, size = _store(recipe, trained), sum(stage.size for stage in stages)
    labeled = store.entries("labeled")
    if not sum(entry.frames for entry in labeled):
        raise ValueError("no labeled utterance could be aligned; check that texts and audio belong together")
    senones = counted_senones(recipe.run, trained.phones, trained.table)
    if not recipe.hmm.realign:  # else the set is that of the realigned speech
        save_senones(recipe.run, senones, set_inputs(recipe.run, senones.alignment_set))
    frames = sum(int(store.index(split).column("frames").sum()) for split in SPLITS)
    figures = stage_figures(recipe, senones, labeled) | {
        "frames_aligned": float(frames),
        "failures_share": outcome.lost / max(outcome.rows, 1),
    }
    if recipe.evaluate.topline:
        figures |= unlabeled_texts.figures(recipe, trained)
    else:
        unlabeled_texts.unlabeled_stage(recipe, trained).drop_outdated()
    rejects = [reject for each in (outcome, *others) for reject in each.rejects]
    rejected = sum(each.rejected for each in (outcome, *others))
    report = clock.finish(size, size - made, rejects, figures, rejected=rejected)
    for warning in warnings(entry.statistics for entry in labeled):
        print(f"warning: {warning}", file=sys.stderr)
    if unused := sum(unused_imports(recipe).values()):
        where = unused_imports_uri(recipe.run)
        print(f"warning: {unused:,} imported alignments are not used; {where} says why", file=sys.stderr)
    check_reject_share(recipe, STAGE, outcome.lost, outcome.rows)
    return report


def _store(recipe: Recipe, trained: Trained) -> ShardStore:
    return ShardStore(recipe.run, alignments.store_name(trained.senone_set))
