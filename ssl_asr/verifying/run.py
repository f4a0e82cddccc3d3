"""Verifies a run: reads every shard of every store again, and compares it with its entry and with the features.

It goes shard by shard, with all stores of a shard together, so memory holds a few shards and the names of the others.
The accounts of the models' training are audited too.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ssl_asr.hmm.stage import aligned_splits
from ssl_asr.labelling.integrity import senones_by_teacher
from ssl_asr.models.model_files import load_model
from ssl_asr.progress import Progress, clock
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.stage_clock import HEARTBEAT_SECONDS, read_heartbeat
from ssl_asr.runtime.stage_report import read_rejects, read_report
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.inventory import StoreContents, all_shards, inventory
from ssl_asr.store.layout import (
    ALIGNMENTS,
    FEATURES,
    MANIFEST,
    PSEUDO_LABELS,
    STAGE_OF_STORE,
    TARGETS,
    heartbeat_uri,
    stage_of_store,
    store_of_set,
)
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import list_temporary
from ssl_asr.store.training_layout import MODEL_SUFFIX, models_folder
from ssl_asr.store.weights import read_description
from ssl_asr.transducer.model_files import TRANSDUCER, load_transducer
from ssl_asr.verifying.findings import Finding, FindingFormatter
from ssl_asr.verifying.remade import remade_stores
from ssl_asr.verifying.shard_check import ShardCheck, Verdict
from ssl_asr.verifying.training_check import check_training

READERS = 4  # threads; each holds the shard that it reads and one decoded slab
# By kind of store: the kind that its shards are made from.
_SOURCES = {FEATURES: MANIFEST, ALIGNMENTS: FEATURES, TARGETS: FEATURES, PSEUDO_LABELS: FEATURES}
_UNLABELED = dict.fromkeys((TARGETS, PSEUDO_LABELS), ("unlabeled",))
Item = TypeVar("Item")
Result = TypeVar("Result")


def splits_of(recipe: Recipe, kind: str) -> tuple[str, ...]:
    """The splits that have shards of this kind of store."""
    return {ALIGNMENTS: aligned_splits(recipe), **_UNLABELED}.get(kind, utterance.SPLITS)


def verify(recipe: Recipe, only: Collection[Shard] | None = None, *, sample: int | None = None) -> Verdict:
    """Everything that is wrong with the run; with `only`, checks only these shards.

    With `sample`, so many shards are read, others each time. Missing and left-over files, models and accounts are
    still those of the whole run. ValueError if the run has no store at all.
    """
    outputs, damaged = _models(recipe.run)
    stores = inventory(recipe.run)
    formatter = FindingFormatter(recipe.run, remade_stores(recipe, labels=not damaged))
    if not len(shards := all_shards(stores)):
        raise ValueError(f"{recipe.run} holds no shard of any store; name a run that has begun")
    verdict = Verdict(damaged)
    verdict.add(check_training(recipe.run))
    verdict.findings += [formatter.leftover(uri) for uri in list_temporary(recipe.run)]
    verdict.findings += [formatter.unexpected(uri) for held in stores for uri in held.unexpected]
    wanted: Collection[Shard] = shards if only is None else [shard for shard in only if shard in shards]
    if sample is not None and sample < len(shards):
        wanted = shards.sample(sample)
        verdict.not_read = len(shards) - sample
    progress = Progress("verify", len(wanted), "shards")
    for one in _checked(recipe, stores, formatter, outputs, wanted):
        verdict.add(one)
        progress.advance()
    verdict.findings += _unmade(recipe, stores, formatter)
    return verdict


def check_shards(recipe: Recipe, only: Collection[Shard]) -> list[Finding]:
    """What is wrong with the shards in `only`, and which shards are missing; no model and no account is audited."""
    outputs, damaged = _models(recipe.run)
    formatter = FindingFormatter(recipe.run, remade_stores(recipe, labels=not damaged))
    stores = inventory(recipe.run)
    found = [one for verdict in _checked(recipe, stores, formatter, outputs, only) for one in verdict.findings]
    return found + _unmade(recipe, stores, formatter)


def _checked(
    recipe: Recipe,
    stores: Sequence[StoreContents],
    formatter: FindingFormatter,
    outputs: Mapping[str, int],
    shards: Iterable[Shard],
) -> Iterator[Verdict]:
    return _map(ShardCheck(stores, senones_by_teacher(recipe, outputs), formatter), shards)


def summary(verdict: Verdict, seconds: float) -> str:
    """Text for the user: lines on what the models were trained on, then a line on what was read and found."""
    found = f"{len(verdict.findings)} wrong" if verdict.findings else "nothing wrong"
    others = f" ({verdict.not_read:,} others not read)" if verdict.not_read else ""
    counts = (f"{verdict.shards:,} shards{others}", f"{verdict.files:,} files", f"{verdict.bytes / 1e6:,.1f} MB")
    parts = [*counts, clock(seconds)]
    parts += [f"slabs of {', '.join(verdict.unaudited)} not audited"] if verdict.unaudited else []
    return "\n".join([*verdict.trained, f"verify: {', '.join(parts)}: {found}"])


def under_way(recipe: Recipe) -> str | None:
    """The stage that is writing to the run now, according to its heartbeat; None if there is none."""
    for stage in NAMES:
        noted = filesystem.modified(heartbeat_uri(recipe.run, stage))
        if noted is not None and time.time() - noted < 3 * HEARTBEAT_SECONDS:
            return stage
    return None


def refuse_under_way(recipe: Recipe) -> None:
    """ValueError while a stage is running, because its unfinished files would look damaged."""
    stage = under_way(recipe)
    if stage is not None:
        raise ValueError(
            f"{stage} is running in {recipe.run}, or was running {3 * HEARTBEAT_SECONDS:.0f} s ago; "
            "stop it and wait first"
        )


def shards_of(found: Verdict) -> list[Shard]:
    """The shards with findings, in order."""
    return sorted({finding.shard for finding in found.findings if finding.shard is not None})


def _models(run: str) -> tuple[dict[str, int], list[Finding]]:
    """Senones of every network by its file, and the files that are damaged; transducers have no senones."""
    outputs, damaged = {}, []
    for uri in filesystem.list_files(models_folder(run), MODEL_SUFFIX):
        try:
            if read_description(uri).get("kind") == TRANSDUCER:
                load_transducer(uri)
            else:
                outputs[uri] = load_model(uri)[0].spec.outputs
        except ValueError as error:
            damaged.append(Finding(str(error)))
    return outputs, damaged


def _unmade(recipe: Recipe, stores: Sequence[StoreContents], formatter: FindingFormatter) -> list[Finding]:
    today = [held for held in stores if held.store.name in formatter.remade and held.kind in _SOURCES]
    return [finding for held in today for finding in _unmade_of(recipe, held, stores, formatter)]


def _unmade_of(
    recipe: Recipe, mine: StoreContents, stores: Sequence[StoreContents], formatter: FindingFormatter
) -> list[Finding]:
    """Shards of one of today's stores that left no trace, although its stage has finished and rejected none."""
    stage, splits = stage_of_store(mine.store.name), splits_of(recipe, mine.kind)
    source = next((held for held in stores if held.kind == _SOURCES[mine.kind]), None)
    report = read_report(recipe, stage)
    if source is None or report is None or read_heartbeat(recipe, stage) is not None:
        return []
    if mine.kind in _UNLABELED and mine.store.name != store_of_set(mine.kind, report.key):
        return []  # the stage has finished another set
    # What the flat start could not align, no network aligns.
    stages = {stage, STAGE_OF_STORE[mine.kind]}
    rejected = {reject.id for each in stages for reject in read_rejects(recipe, each)}
    missing = (shard for shard in source.entries.without(mine.entries, mine.files) if shard.split in splits)
    return [formatter.unmade(mine.store, shard) for shard in missing if shard.name not in rejected]


def _map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in order, from a few threads that read only a little ahead of the consumer."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == 2 * READERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
