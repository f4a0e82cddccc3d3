"""The hmm stage: features and texts to lexicon, senones and alignments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ssl_asr.hmm.alignment_job import alignment_parents, load_job
from ssl_asr.hmm.lexicon_stage import ensure_lexicons
from ssl_asr.hmm.placement import on_ray
from ssl_asr.hmm.senones import SenoneSet, save_senones
from ssl_asr.hmm.training import Trained, chunk_sources, early_sources, read_trained, train
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.lang.phones import PHONES
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.shard_jobs import run_shard_jobs
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share
from ssl_asr.store import alignments, features
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum
from ssl_asr.store.shards import ShardStore

STAGE = "hmm"
SPLITS = ("labeled", "dev", "test")


def run_hmm(recipe: Recipe) -> StageReport:
    """Lexicons, flat start, senones and alignments; what is found done for the same features and texts is kept."""
    clock = StageClock(recipe, STAGE, recipe.key("corpus", "frontend", "hmm"))
    store = ShardStore(recipe.run, features.STORE)
    sources = {entry.shard: entry for split in SPLITS for entry in store.entries(split)}
    labeled = [entry for entry in sources.values() if entry.shard.split == "labeled" and entry.rows]
    if not labeled:
        raise ValueError(f"{recipe.run} has no labeled features yet; run the frontend stage first")
    lexicon = ensure_lexicons(recipe)
    key = checksum(" ".join([recipe.key("hmm"), lexicon, *(entry.checksum for entry in labeled)]).encode())
    trained = read_trained(recipe.run, key)
    failed: list[Reject] = []
    todo = list(sources) if trained is None else _unfinished(recipe, trained, sources)
    skipped = len(sources) - len(todo)
    if trained is None or todo:
        with joined():
            if trained is None:
                # One thread here and in the tasks: sums come out the same on every machine.
                with threadpool_limits(1):
                    chunks = chunk_sources(recipe, labeled, lexicon)
                    early = early_sources(chunks, labeled)
                    trained = train(recipe.run, recipe.hmm, on_ray(chunks), on_ray(early), key)
                todo = _unfinished(recipe, trained, sources)
                skipped = len(sources) - len(todo)
            failed = _align(recipe, trained, todo, skipped)
    return _finish(recipe, clock, trained, sources, failed, skipped)


def _unfinished(recipe: Recipe, trained: Trained, sources: Mapping[Shard, LedgerEntry]) -> list[Shard]:
    wanted = {shard: alignment_parents(entry, trained.senone_set, trained.key) for shard, entry in sources.items()}
    return _store(recipe, trained).unfinished(wanted)


def _align(recipe: Recipe, trained: Trained, todo: Sequence[Shard], skipped: int) -> list[Reject]:
    _store(recipe, trained).delete_temporary()
    job = partial(load_job, recipe.run, recipe.frontend.mel_bins, trained.key)
    return run_shard_jobs(STAGE, todo, job, skipped=skipped)


def _finish(
    recipe: Recipe,
    clock: StageClock,
    trained: Trained,
    sources: Mapping[Shard, LedgerEntry],
    failed: list[Reject],
    skipped: int,
) -> StageReport:
    store = _store(recipe, trained)
    unmade = {reject.id for reject in failed}
    for split in SPLITS:
        store.keep_only(split, {shard for shard in sources if shard.name not in unmade})
    entries = [entry for split in SPLITS for entry in store.entries(split)]
    labeled = [entry for entry in entries if entry.shard.split == "labeled"]
    if not sum(entry.frames for entry in labeled):
        raise ValueError("no labeled utterance could be aligned; check that texts and audio belong together")
    counts = sum((np.array(entry.statistics["senone_counts"], np.float64) for entry in labeled), np.float64(0))
    senones = SenoneSet(PHONES, trained.table, np.asarray(counts))
    save_senones(recipe.run, senones)

    rejects = failed + [reject for entry in entries for reject in entry.rejects]
    lost = sum(len(entry.rejects) for entry in entries)
    lost += sum(entry.rows for shard, entry in sources.items() if shard.name in unmade)
    rows = sum(entry.rows for entry in sources.values())
    figures = _figures(recipe, senones, labeled, entries) | {"failures_share": lost / max(rows, 1)}
    report = clock.finish(len(sources), skipped, rejects, figures)
    check_reject_share(recipe, STAGE, lost, rows)
    return report


def _figures(
    recipe: Recipe, senones: SenoneSet, labeled: Sequence[LedgerEntry], entries: Sequence[LedgerEntry]
) -> dict[str, float | str]:
    def total(name: str) -> float:
        return float(sum(entry.statistics[name] for entry in labeled))

    return {
        "senones": float(senones.size),
        "senone_set": senones.id,
        "words": float(len(read_lexicon(recipe.run).words)),
        "frames_aligned": float(sum(entry.frames for entry in entries)),
        "log_likelihood_per_frame": total("log_likelihood") / max(total("fitted_frames"), 1.0),
        "silence_share": total("silent_frames") / sum(entry.frames for entry in labeled),
    }


def _store(recipe: Recipe, trained: Trained) -> ShardStore:
    return ShardStore(recipe.run, alignments.store_name(trained.senone_set))
